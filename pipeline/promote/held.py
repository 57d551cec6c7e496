"""The step `held`: after a pointer was written, wait until it holds the image, and make sure that nobody else wrote.

SSM checks and writes an image id only after it has answered the call, and the provider reads the pointer once: what
it returns may be the earlier image. So what follows waits for this step, and takes the image from the stack's request.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.promote.promotion import Promotion
from pipeline.promote.standing import Seen, Standing, describe, label

if TYPE_CHECKING:
    from collections.abc import Mapping


PATIENCE_SECONDS = 120
"""How long SSM may take to write a pointer that it has accepted; as long as the provider waits for a new one."""

QUIET_SECONDS = 10
"""How long a channel that holds the image already, and shows no write, is believed to be still written: the provider
may write the same image again, and a version without a label would look like somebody else's."""

POLL_SECONDS = 1


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Wait until the pointer holds the image, then leave the stack's label on that version, unless a return goes on.

    Args:
        given: The plan (`plans.Held`).

    Returns:
        ``imageId``, ``version`` and ``when`` (of the pointer), ``since`` (when the channel came to hold the image, ISO
        8601 in UTC), ``previousImage`` (or None).

    Raises:
        PipelineError: The pointer does not hold the image in time, somebody else wrote it in between, or the plan is
            incomplete.
    """
    plan = plans.Held.from_json(given)
    promotion = Promotion.of(plan)
    with promotion.reporting():
        found = _wait(promotion, plan)
        if not plan.returns:
            promotion.pointer.label(found, str(plan.claim["label"]))
        since, previous = found.tenure()
        return {
            "imageId": plan.image_id,
            "version": found.seen.version,
            "when": found.seen.when,
            "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "previousImage": previous,
        }


def _wait(promotion: Promotion, plan: plans.Held) -> Standing:
    seen = Seen.of(plan.claim)
    word = str(plan.claim["label"])
    mine = label(promotion.pointer.stack, word)
    changes = plan.claim["displaces"] != plan.image_id
    start = time.monotonic()
    while True:
        found = promotion.pointer.standing()
        waited = time.monotonic() - start
        late = waited >= PATIENCE_SECONDS
        since = found.since(seen)
        written = {entry.image_id for entry in since}
        # Of two writes this one may be the last: what the channel will hold is known once it is there.
        if written - {plan.image_id} and (plan.image_id in written or late):
            promotion.take_tag(but=found.image_id, fresh=written)
            raise _somebody_elses(found, seen, plan.image_id)
        # Another word is an earlier update's, which failed before its write showed: this one's is still to come.
        own = any(entry.has_word(word) for entry in since)
        # A version with the promotion's label was seen by this step before: it runs again because of another write.
        again = any(mine in entry.labels for entry in found.record)
        new = since and (own or not changes) and mine not in found.record[0].labels
        quiet = PATIENCE_SECONDS if changes and not again else QUIET_SECONDS
        # What the provider has read shows soon; in the state may be the number of a pointer that was deleted since.
        shown = (new and found.seen.version >= plan.pointer_version) or waited >= quiet
        if found.image_id == plan.image_id == promotion.pointer.image_id() and shown:
            return found
        if late:
            raise _not_there(promotion.pointer.name, found, plan.image_id)
        time.sleep(POLL_SECONDS)


def _somebody_elses(found: Standing, seen: Seen, image_id: str) -> PipelineError:
    latest = found.record[0]
    if latest.image_id == image_id:
        change = f"to keep {image_id}: `pulumi up` again; else pin another image (golden-image:image)"
    else:
        change = f"{found.way_out(latest)}\nto keep {latest.image_id}: pin it (golden-image:image)"
    return PipelineError(
        f"channel {found.channel} was changed by another promotion while this one was running",
        seen="\n".join(map(describe, found.since(seen))),
        allowed=f"only {image_id} after version {seen.version}",
        change=change,
    )


def _not_there(name: str, found: Standing, image_id: str) -> PipelineError:
    return PipelineError(
        f"channel {found.channel} does not hold {image_id}, though the call to move it succeeded",
        seen=f"{name} holds {found.image_id or 'nothing'} after {PATIENCE_SECONDS} s",
        allowed=image_id,
        change="SSM rejects an image ID that it cannot resolve. Check that the image still exists, then run "
        "`pulumi up` again",
    )
