"""The channels of a stack: what they hold, and whether somebody else has moved the stack's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.doctor.findings import Subject
from pipeline.model import pointer_name
from pipeline.promote.standing import Standing, describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether the channel is as its stack left it, and whether the one it takes from holds an image."""
    subject, settings = Subject("channel", stack.about), stack.settings
    wanted = [settings.channel]
    if settings.source is not None and not settings.bakes:
        wanted.append(settings.source)
    # The history alone: each policy of iam/ allows to read it.
    records = {channel: account.channels.history(settings.role, channel) for channel in wanted}
    own = Standing(
        stack=stack.name, role=settings.role, channel=settings.channel, record=records[settings.channel]
    )
    if own.moved:
        yield subject.warn(
            f"{pointer_name(settings.role, settings.channel)} {describe(own.record[0])}",
            cause=f"stack {stack.name} did not put that image into channel {settings.channel}, and refuses to "
            "replace it",
            cure=f"{own.way_out(own.record[0])}; to keep it: {stack.where('image')}",
        )
    held = {channel: record[0].image_id if record else None for channel, record in records.items()}
    seen = ", ".join(
        f"{pointer_name(settings.role, channel)} holds {held[channel] or 'no image yet'}"
        for channel in wanted
    )
    if held[wanted[-1]] is None and len(wanted) > 1:
        yield subject.warn(
            seen,
            cause=f"the stack takes its image from channel {settings.source}, which holds no image yet",
            cure=f"run `pulumi up` for the stack of channel {settings.source} first; or set {stack.where('image')}",
        )
    else:
        yield subject.ok(seen)
