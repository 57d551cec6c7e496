"""A channel's pointer as SSM has it: what it holds, since which version, and who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.errors import PipelineError
from pipeline.model import PointerVersion, pointer_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NOTHING = 0
"""The version of a pointer that is not there: SSM counts from 1."""

_KEYS = ("region", "role", "channel", "imageId")


@dataclass(frozen=True)
class Position:
    """Where a pointer stands.

    Attributes:
        version: SSM's version number; `NOTHING` if there is no such parameter.
        image_id: The image, or None.
    """

    version: int
    image_id: str | None


class Pointer:
    """One channel's parameter.

    Args:
        role: The role.
        channel: The channel.
        ssm: A client of SSM.
    """

    def __init__(self, role: str, channel: str, *, ssm: Any) -> None:
        self.channel = channel
        self.name = pointer_name(role, channel)
        self._ssm = ssm

    def position(self) -> Position:
        """Where it stands now."""
        try:
            found = self._ssm.get_parameter(Name=self.name)["Parameter"]
        except self._ssm.exceptions.ParameterNotFound:
            return Position(NOTHING, None)
        return Position(int(found["Version"]), str(found["Value"]))

    def written_after(self, version: int) -> list[PointerVersion]:
        """What was written after a version, the oldest first. SSM keeps the last 100 versions."""
        found = aws.parameter_history(self._ssm, self.name)
        return [entry for entry in reversed(found) if entry.version > version]


def tenure(record: Sequence[PointerVersion]) -> tuple[datetime, str | None]:
    """Since when a channel has held its image without a break, in UTC, and what it held before (None: nothing known).

    Args:
        record: What was written, the oldest first; at least one entry.
    """
    held = record[-1].image_id
    before = max((number for number, entry in enumerate(record) if entry.image_id != held), default=-1)
    return record[before + 1].when.astimezone(UTC), record[before].image_id if before >= 0 else None


def told(entry: PointerVersion) -> str:
    """A version in words, for an error: what, when, who."""
    who = f" by {entry.by}" if entry.by else ""
    return f"version {entry.version}: {entry.image_id}, written {entry.when:%Y-%m-%d %H:%M:%S} UTC{who}"


def check_plan(plan: Mapping[str, Any], step: str) -> None:
    """Insist on what the steps of a promotion are told.

    Raises:
        PipelineError: A key is missing.
    """
    for key in _KEYS:
        if not isinstance(plan.get(key), str):
            raise PipelineError(
                f"the plan on standard input lacks {key!r}",
                change=f"`bin/step {step}` is started by the program; see components/image_promotion.py",
            )
