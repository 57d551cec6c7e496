"""The step `settle`: after a pointer has moved, every image of the role has the tag of the channel it is in.

The pointers are the authority, and the tag follows them: an image has the name of the channel that holds it, of
several the one furthest from the bake (prod before candidate), and an image that none holds has none. So a
displaced image loses its tag, keeps the one of a later stage, or gets back that of an earlier one that holds it
still, in whatever order that came about.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.model import Held
from pipeline.promote.pointer import look
from pipeline.promote.promotion import Promotion
from pipeline.promote.standing import describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.aws.account import Account
    from pipeline.promote.standing import Standing


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settle the tags of the role's images.

    Args:
        given: The plan (`plans.Settle`).

    Returns:
        ``imageId``.

    Raises:
        PipelineError: Somebody else has moved the pointer meanwhile; or the plan is incomplete.
    """
    plan = plans.Settle.from_json(given)
    promotion = Promotion.of(plan)
    with promotion.reporting():
        found = _still_there(promotion, plan.image_id)
        # The step knows what its own channel holds; a list of pointers may be late.
        mine = Held(
            channel=promotion.channel,
            image_id=plan.image_id,
            since=datetime.fromisoformat(plan.when),
            source=plan.source,
        )
        held = [*others(promotion), mine]
        if promotion.settle(wanted_tags(held), held, fresh=plan.image_id):
            # The channel's tag was on its image before this step: it may have been taken by who moves the pointer now.
            _still_there(promotion, plan.image_id)
        promotion.record(found.record)
    return {"imageId": plan.image_id}


def _still_there(promotion: Promotion, image_id: str) -> Standing:
    """The channel's standing, which holds the image.

    Raises:
        PipelineError: It holds another one, which alone may keep the tag.
    """
    found = look(promotion.pointer.standing, lambda found: found.image_id == image_id)
    if found.image_id == image_id:
        return found
    promotion.take_tag(but=found.image_id, fresh=[image_id])
    raise PipelineError(
        f"somebody else has moved channel {promotion.channel} while this promotion was running",
        allowed=image_id,
        seen=describe(found.record[0]) if found.record else "no pointer",
        change=f"{found.way_out(found.record[0])}; or pin the image that is there"
        if found.record
        else "`pulumi up` again",
    )


def leave(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settle as if the channel held nothing any more: what the removal of a stack does before the pointer goes.

    Args:
        given: The plan (`plans.Leave`).

    Returns:
        ``imageId``.

    Raises:
        PipelineError: Somebody else has moved the channel, whose pointer would go with this stack; or the plan is
            incomplete.
    """
    plan = plans.Leave.from_json(given)
    promotion = Promotion.of(plan)
    found = look(promotion.pointer.standing, lambda found: not found.moved)
    if plan.stack and found.moved:
        latest = found.record[0]
        raise PipelineError(
            f"the removal of stack {found.stack} would delete the pointer of channel {promotion.channel}, which "
            "somebody else has moved",
            seen=f"{promotion.pointer.name} {describe(latest)}",
            allowed=f"a version that stack {found.stack} wrote",
            change=f"to delete it all the same: {found.confirmation(latest)}, then `pulumi destroy` again\n"
            f"to keep it: `pulumi stack --show-urns --stack {found.stack}` lists the URN of the aws:ssm:Parameter; "
            f"`pulumi state delete --target-dependents --stack {found.stack} URN`, then `pulumi destroy` again",
        )
    held = others(promotion)
    promotion.settle(wanted_tags(held), held)
    return {"imageId": plan.image_id}


def withdraw(account: Account, image_id: str, *, role: str) -> None:
    """Take the tag that Packer gave it from an image that no channel holds, for it did not pass."""
    promotion = Promotion(account, role, "")
    if image_id not in wanted_tags(promotion.held()):
        channel = promotion.tagged().get(image_id)
        if channel is not None:
            promotion.untag(image_id, channel)


def others(promotion: Promotion) -> list[Held]:
    """What the role's other channels hold."""
    return [one for one in promotion.held() if one.channel != promotion.channel]


def wanted_tags(held: Iterable[Held]) -> dict[str, str]:
    """Map each image to the channel its tag should name: the latest stage that holds it, or the most recent one."""
    everyone = list(held)
    order = sorted(everyone, key=lambda one: (distance(one, everyone), one.since, one.channel))
    return {one.image_id: one.channel for one in order}


def distance(one: Held, everyone: Sequence[Held]) -> int:
    """How many channels an image has passed when it gets into this one, by where each says that it takes them."""
    by_channel = {other.channel: other for other in everyone}
    passed = 0
    source = one.source
    seen = {one.channel}
    while source in by_channel and source not in seen:
        seen.add(source)
        passed += 1
        source = by_channel[source].source
    return passed
