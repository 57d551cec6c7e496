"""A channel's pointer in SSM: read, and labelled. What it means is `pipeline.channels.standing`'s."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.channels.standing import LABELS, Standing, label
from pipeline.errors import PipelineError
from pipeline.model import pointer_name

if TYPE_CHECKING:
    from collections.abc import Callable

LAG_SECONDS = 3
"""How long a read of Parameter Store is believed to lag behind a write; AWS publishes no figure (aws-sdk-js issue 3586
has a read that "returns the old version")."""

POLL_SECONDS = 1


class Pointer:
    """One channel's parameter.

    Args:
        stack: The stack that looks at it.
        role: The role.
        channel: The channel.
        ssm: A client of SSM.
    """

    def __init__(self, stack: str, role: str, channel: str, *, ssm: Any) -> None:
        self.stack = stack
        self.role = role
        self.channel = channel
        self.name = pointer_name(role, channel)
        self._ssm = ssm

    def image_id(self) -> str | None:
        """The image that it holds now, or None."""
        try:
            value: str = self._ssm.get_parameter(Name=self.name)["Parameter"]["Value"]
        except self._ssm.exceptions.ParameterNotFound:
            return None
        return value

    def standing(self) -> Standing:
        """Its versions and labels. SSM keeps the last 100 versions."""
        record = aws.parameter_history(self._ssm, self.name)
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
        """Attach a label to a version; it leaves the one that has it.

        Raises:
            PipelineError: SSM does not take the label.
        """
        answer = self._ssm.label_parameter_version(Name=self.name, ParameterVersion=version, Labels=[name])
        if answer.get("InvalidLabels"):
            raise PipelineError(
                f"SSM does not take the label {name} for {self.name}",
                allowed="letters, digits and _ . - in the stack's name",
                change="rename the stack: `pulumi stack rename`",
            )

    def unlabel(self, standing: Standing, *, but: str | None = None) -> None:
        """Take the labels of stacks away, but for one; labels of others stay."""
        for entry in standing.record:
            names = [name for name in entry.labels if name.startswith(LABELS) and name != but]
            if names:
                self._ssm.unlabel_parameter_version(
                    Name=self.name, ParameterVersion=entry.version, Labels=names
                )


def look(read: Callable[[], Standing], good: Callable[[Standing], bool]) -> Standing:
    """A channel's standing; if it is not good, the one after a while, as a read may lag behind the last write.

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
