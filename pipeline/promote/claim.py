"""The step `claim`: before a pointer moves, make sure that it is still where this stack left it.

A stack moves a channel only from a version that it wrote or took over itself; what somebody else put there is
reported, not overwritten. The step `held` looks again afterwards, for what happened between the look and the write.
The channel's tag leaves the earlier image here, before the pointer does: whatever fails from here on, a lookup by
tag finds no image rather than the wrong one.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.promote.pointer import look
from pipeline.promote.promotion import Promotion
from pipeline.promote.standing import label
from pipeline.record import KEPT_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

PREVIOUS = "PULUMI_COMMAND_STDOUT"
"""Where the command plugin hands an update what the step returned the last time."""


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Claim a channel for an image.

    Args:
        given: The plan (`plans.Claim`).

    Returns:
        ``imageId``, ``displaces`` (the image that the channel holds now, or None), ``version`` and ``when`` (the
        pointer's; 0 and empty without one), ``label``.

    Raises:
        PipelineError: The channel holds an image that this stack did not put there; SSM can take no version more; or
            the plan is incomplete.
    """
    plan = plans.Claim.from_json(given)
    promotion = Promotion.of(plan)
    with promotion.reporting():
        pointer = promotion.pointer
        last = _last(os.environ.get(PREVIOUS, ""))
        found = look(pointer.standing, lambda found: found.may_replace(plan.image_id, last))
        if not found.may_replace(plan.image_id, last):
            raise found.not_mine(plan.image_id)
        blocked = found.blocked()
        if blocked is not None and found.image_id != plan.image_id:
            raise blocked
        if len(found.record) >= KEPT_VERSIONS:
            # A label of a stack on the oldest version would keep SSM from taking a new one.
            pointer.unlabel(found.oldest())
        if found.record and found.word is None:
            # Taken over. A role that may not label is refused here, before anything has moved.
            pointer.attach(found.record[0].version, label(pointer.stack, plan.label))
        promotion.take_tag(but=plan.image_id)
        return {
            "imageId": plan.image_id,
            "displaces": found.image_id,
            "version": found.seen.version,
            "when": found.seen.when,
            "label": plan.label,
        }


def _last(text: str) -> Mapping[str, Any]:
    """What the step returned the last time; empty if it has never run.

    Raises:
        PipelineError: The text is not what this step returns.
    """
    if not text:
        return {}
    try:
        last: dict[str, Any] = json.loads(text)
        _ = last["imageId"], last["displaces"], last["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            "the state of promotion-claim is not readable: its `stdout` is not the JSON of an earlier update",
            seen=text[:200],
            change="`pulumi stack export --file state.json` shows it; import an earlier version of the state",
        ) from error
    return last
