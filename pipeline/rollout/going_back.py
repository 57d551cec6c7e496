"""The return of a channel, after the machines of its group are back on the image before.

In an order in which whoever looks between two calls, or after the last one before a failure, never finds the wrong
image: first the image that failed is marked, then the template, the pointer and the tags go back, and last the stack's
label moves to the pointer's new version. A return whose label is missing is unfinished: the next update finishes it
(`pipeline.rollout.unfinished`).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline import record
from pipeline.errors import PipelineError
from pipeline.model import TAG_REJECTED, TAG_VALUE_LIMIT, Held, pointer_name, returned_description
from pipeline.promote.held import PATIENCE_SECONDS
from pipeline.promote.pointer import look
from pipeline.promote.settle import others, wanted_tags
from pipeline.promote.standing import Standing, describe

if TYPE_CHECKING:
    from pipeline import plans
    from pipeline.aws.account import Account
    from pipeline.promote.promotion import Promotion
    from pipeline.scaling import Version

POLL_SECONDS = 1


def mark(account: Account, plan: plans.RollOut, reason: str) -> None:
    """Tag the image as rejected by its channel."""
    text = f"{plan.channel} {record.written(datetime.now(UTC))} {' '.join(reason.split())}"
    account.images.tag(plan.image_id, TAG_REJECTED, text[:TAG_VALUE_LIMIT])


def template(account: Account, before: Version) -> None:
    """Make the version before the template's default one."""
    if account.templates.default(before.template) != int(before.number):
        account.templates.set_default(before)


def channel(promotion: Promotion, plan: plans.RollOut, image_id: str) -> None:
    """Let pointer and tags be as before the promotion.

    Args:
        promotion: Pointers and tags of the role.
        plan: The roll-out's.
        image_id: The image before.

    Raises:
        PipelineError: Somebody else has moved the channel meanwhile, or AWS refused.
    """
    found = _moved(promotion, plan, image_id)
    mine = Held(
        channel=plan.channel,
        image_id=image_id,
        since=found.record[0].when.astimezone(UTC),
        source=plan.source,
    )
    held = [*others(promotion), mine]
    promotion.settle(wanted_tags(held), held, fresh=image_id)
    promotion.pointer.label(found, plan.label)


def finish(promotion: Promotion, plan: plans.RollOut) -> None:
    """End a return whose machines, pointer, tags and template are as before the promotion: the label moves.

    Raises:
        PipelineError: Somebody else has moved the channel meanwhile, or AWS refused.
    """
    pointer = promotion.pointer
    found = look(pointer.standing, lambda seen: _is_mine(seen, plan, plan.image_id))
    if not _is_mine(found, plan, plan.image_id):
        raise _somebody_elses(found, plan, plan.image_id)
    pointer.label(found, plan.label)


def _moved(promotion: Promotion, plan: plans.RollOut, image_id: str) -> Standing:
    """The channel, which holds the image before."""
    pointer = promotion.pointer
    found = look(pointer.standing, lambda seen: _is_mine(seen, plan, image_id))
    if not _is_mine(found, plan, image_id):
        raise _somebody_elses(found, plan, image_id)
    if found.image_id == plan.image_id:
        promotion.take_tag(but=None, fresh=[plan.image_id])
        text = returned_description(
            plan.role, plan.channel, plan.source, failed=plan.image_id, to=image_id, word=plan.label
        )
        promotion.channels.write(plan.role, plan.channel, image_id, text)
        promotion.log(f"channel {plan.channel} goes back to {image_id}")
    return _wait(promotion, image_id)


def _is_mine(found: Standing, plan: plans.RollOut, image_id: str) -> bool:
    return found.image_id in (plan.image_id, image_id) and found.word == plan.label


def _somebody_elses(found: Standing, plan: plans.RollOut, image_id: str) -> PipelineError:
    name = pointer_name(plan.role, plan.channel)
    return PipelineError(
        f"somebody else has moved channel {plan.channel} while the machines went back; not overwriting it",
        seen=f"{name} {describe(found.record[0])}" if found.record else f"no parameter {name}",
        allowed=f"{plan.image_id}, as this promotion wrote it",
        change=f"the machines run {image_id} again; pin the image that the channel is to hold (golden-image:image)",
    )


def _wait(promotion: Promotion, image_id: str) -> Standing:
    """The channel, once it shows the image."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = promotion.pointer.standing()
        if found.image_id == image_id == promotion.pointer.image_id():
            return found
        if time.monotonic() >= deadline:
            raise PipelineError(
                f"channel {promotion.channel} does not hold {image_id}, though the call to move it succeeded",
                seen=f"{promotion.pointer.name} holds {found.image_id or 'nothing'} after {PATIENCE_SECONDS} s",
                allowed=image_id,
                change="`pulumi up` again finishes the return",
            )
        time.sleep(POLL_SECONDS)
