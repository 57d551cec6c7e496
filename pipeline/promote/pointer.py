"""A channel's pointer in SSM: read, and labelled. What it means is `pipeline.promote.standing`'s."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from pipeline.model import pointer_name
from pipeline.promote.standing import LABELS, Standing, label

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aws.channels import Channels

LAG_SECONDS = 3
"""How long a read of Parameter Store is believed to lag behind a write; AWS publishes no figure (aws-sdk-js issue 3586
has a read that "returns the old version")."""

POLL_SECONDS = 1

Seen = TypeVar("Seen")


class Pointer:
    """One channel's parameter, as a stack looks at it.

    Args:
        stack: The stack.
        role: The role.
        channel: The channel.
        channels: The account's channels.
    """

    def __init__(self, stack: str, role: str, channel: str, *, channels: Channels) -> None:
        self.stack = stack
        self.role = role
        self.channel = channel
        self.name = pointer_name(role, channel)
        self._channels = channels

    def image_id(self) -> str | None:
        """The image that it holds now, or None."""
        return self._channels.image_id(self.role, self.channel)

    def standing(self) -> Standing:
        """Its versions and labels. SSM keeps the last 100 versions."""
        record = self._channels.history(self.role, self.channel)
        return Standing(stack=self.stack, role=self.role, channel=self.channel, record=record)

    def label(self, standing: Standing, word: str) -> None:
        """Attach the stack's label to the latest version, and take all other labels of stacks away.

        Calls only for what is not so yet.
        """
        latest = standing.record[0]
        mine = label(self.stack, word)
        if mine not in latest.labels:
            self.attach(latest.version, mine)
        self.unlabel(standing, but=mine)

    def attach(self, version: int, name: str) -> None:
        """Attach a label to a version; it leaves the one that has it."""
        self._channels.attach(self.name, version, name)

    def unlabel(self, standing: Standing, *, but: str | None = None) -> None:
        """Take the labels of stacks away, but for one; labels of others stay."""
        for entry in standing.record:
            names = [name for name in entry.labels if name.startswith(LABELS) and name != but]
            if names:
                self._channels.detach(self.name, entry.version, names)


def look(read: Callable[[], Seen], good: Callable[[Seen], bool]) -> Seen:
    """What is read, such as a channel's standing; if it is not good, what is read after a while: reads may lag.

    Args:
        read: Reads it.
        good: Whether the caller can go on with it.
    """
    deadline = time.monotonic() + LAG_SECONDS
    while True:
        found = read()
        if good(found) or time.monotonic() >= deadline:
            return found
        time.sleep(POLL_SECONDS)
