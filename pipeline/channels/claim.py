"""The step `claim`: before a pointer moves, make sure that it still stands where this stack left it.

SSM has no conditional write, and a pointer's stack writes over whatever is there. So a stack moves a channel only
from the image that it put there itself; what somebody else put there is told, not overwritten. The step `settle`
looks again afterwards, for what happened between the look and the write.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.channels.pointer import NOTHING, Pointer, check_plan, told
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREVIOUS = "PULUMI_COMMAND_STDOUT"
"""Where the command plugin hands an update what the step said the last time."""


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Claim a channel for an image.

    Args:
        plan: ``region``, ``role``, ``channel``, ``imageId``.

    Returns:
        ``imageId``, ``displaces`` (the image that the channel holds now, or None), ``version`` (the pointer's).

    Raises:
        PipelineError: The channel holds an image that this stack did not put there; or the plan is incomplete.
    """
    check_plan(plan, "claim")
    pointer = Pointer(plan["role"], plan["channel"], ssm=aws.client("ssm", region=plan["region"]))
    found = pointer.position()
    mine = {plan["imageId"], *_left_behind(os.environ.get(PREVIOUS, ""))}
    if found.version != NOTHING and found.image_id not in mine:
        raise _somebody_elses(pointer, plan["imageId"])
    return {"imageId": plan["imageId"], "displaces": found.image_id, "version": found.version}


def _left_behind(said: str) -> set[str]:
    """The images that this stack may have left in the channel.

    Its last claim's, or, if the write failed, the one that the claim found.

    Raises:
        PipelineError: The text is not what this step says.
    """
    if not said:
        return set()
    try:
        last = json.loads(said)
        return {image for image in (last["imageId"], last["displaces"]) if image}
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            "the state does not hold what the step `claim` said the last time", seen=said[:200]
        ) from error


def _somebody_elses(pointer: Pointer, image_id: str) -> PipelineError:
    last = pointer.written_after(NOTHING)[-1]
    return PipelineError(
        f"channel {pointer.channel} holds an image that this stack did not put there; not overwriting it",
        seen=f"{pointer.name} {told(last)}",
        allowed=f"a channel that stands where this stack left it, or one that holds {image_id} already",
        change=f"if that image shall go: pin it first (golden-image:image: {last.image_id}) and run `pulumi up`, "
        "which takes it over; then promote. If two stacks promote into this channel: give each one of its own",
    )
