"""Whether a channel has held an image long enough for the next one to take it.

Source: the key golden-image:soak. A pin overrides it, and the preview says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.model import deployed_tag, group_name, held_tag
from pipeline.promote.pointer import look
from pipeline.promote.standing import Standing
from pipeline.record import KEPT_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipeline.aws.account import Account
    from pipeline.model import Image, PointerVersion
    from pipeline.settings.request import Request

DAYS_FROM = timedelta(hours=48)
"""A span of at least this is written in days."""


def refusal(account: Account, request: Request, image: Image, now: datetime) -> PipelineError | None:
    """Why an image that a channel holds may not be taken from it yet, or None if it may.

    A stack without soak, and one that pins, cost no read.

    Args:
        account: The account.
        request: What the stack asks for.
        image: The image that its source channel holds.
        now: The present time, in UTC.

    Raises:
        PipelineError: AWS could not be asked.
    """
    channel, wanted = request.source_channel, request.soak
    if channel is None or wanted is None or request.pin is not None:
        return None
    found = look(lambda: _standing(account, request, channel), lambda seen: seen.image_id == image.id)
    since = found.tenure()[0] if found.image_id == image.id else now
    deployed = _deployed(account, request.role, channel, image)
    ready = since + wanted
    if now >= ready and deployed:
        return None
    seen, waits = [f"channel {channel} has held it since {_time(since)}, for {span(now - since)}"], []
    if now < ready:
        waits.append(f"it will be ready at {_time(ready)}, in {span(ready - now)}: then `pulumi up`")
    if not deployed:
        seen.append(
            f"no tag {deployed_tag(channel)}: {group_name(request.role, channel)} has not come to run it"
        )
        waits.append(
            f"`pulumi up` on the stack whose golden-image:channel is {channel} rolls it out, and says so"
        )
    return PipelineError(
        f"the image in channel {channel} {image.id} has not proven itself there yet",
        seen="\n".join(seen),
        allowed=f"an image that channel {channel} has held for {span(wanted)} without a break (golden-image:soak in "
        f"{request.stack_file})" + ("" if deployed else ", and that its machines run"),
        change="\n".join(
            [*waits, f"at once: a pin overrides the soak; golden-image:image in {request.stack_file}"]
        ),
    )


def overridden(account: Account, request: Request, image: Image, now: datetime) -> str | None:
    """What a pin overrides: in words, why the soak would have refused the pinned image; None if it would not.

    Args:
        account: The account.
        request: What the stack asks for.
        image: The image that it pins.
        now: The present time, in UTC.

    Raises:
        PipelineError: AWS could not be asked.
    """
    channel, wanted = request.upstream, request.soak
    if channel is None or wanted is None or request.pin != image.id:
        return None
    record = _standing(account, request, channel).record
    longest = max((stay.length(now) for stay in stays(record, image.id)), default=None)
    if longest is None and len(record) >= KEPT_VERSIONS and held_tag(channel) in image.tags:
        return None  # SSM has forgotten for how long
    if longest is None:
        return f"channel {channel} has never held {image.id}"
    if longest < wanted:
        return f"channel {channel} has held {image.id} for {span(longest)} without a break"
    if not _deployed(account, request.role, channel, image):
        return f"{group_name(request.role, channel)} has not come to run {image.id}"
    return None


@dataclass(frozen=True)
class Stay:
    """A time in which a channel held an image without a break.

    Attributes:
        since: When it came to hold it, in UTC.
        until: When it came to hold another one; None if it holds it still.
    """

    since: datetime
    until: datetime | None

    def length(self, now: datetime) -> timedelta:
        """How long, up to now."""
        return (self.until or now) - self.since


def stays(record: Sequence[PointerVersion], image_id: str) -> list[Stay]:
    """The times in which a channel has held an image.

    Args:
        record: The channel's record, newest first.
        image_id: The image.
    """
    found: list[Stay] = []
    since: datetime | None = None
    for entry in reversed(record):
        if entry.image_id == image_id and since is None:
            since = entry.when
        elif entry.image_id != image_id and since is not None:
            found.append(Stay(since, entry.when))
            since = None
    return [*found, *([Stay(since, None)] if since is not None else [])]


def span(time: timedelta) -> str:
    """A length of time in words, such as ``3 h 20 min``; what is left of a minute counts as one."""
    minutes = max(math.ceil(time.total_seconds() / 60), 0)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24) if time >= DAYS_FROM else (0, hours)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts) or "0 min"


def _time(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _standing(account: Account, request: Request, channel: str) -> Standing:
    record = account.channels.history(request.role, channel)
    return Standing(stack=request.stack, role=request.role, channel=channel, record=record)


def _deployed(account: Account, role: str, channel: str, image: Image) -> bool:
    """Whether a channel's machines have come to run an image; a channel without a group has none that could."""
    return deployed_tag(channel) in image.tags or account.groups.find(group_name(role, channel)) is None
