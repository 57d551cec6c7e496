"""What a roll-out has to do next, by what AWS says of the group and its refreshes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from pipeline.scaling import SUCCESSFUL, active

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from pipeline.scaling import Group, Refresh, Version


class Next(Enum):
    """What to do."""

    START = auto()
    """Start a refresh to the version."""
    JOIN = auto()
    """Wait for the active refresh, which is this roll-out's."""
    UNDO = auto()
    """Roll the active refresh back: it is of an earlier roll-out, to another version."""
    WAIT = auto()
    """Wait for the active refresh, which goes back or ends already, and look again."""
    FOREIGN = auto()
    """Somebody else's refresh is active."""
    FAILED = auto()
    """This roll-out's refresh has ended, and not well."""
    SETTLE = auto()
    """The group has the version: wait until its machines are healthy."""


@dataclass(frozen=True)
class Decision:
    """What to do, and the refresh that it is about."""

    next: Next
    refresh: Refresh | None = None


def decide(group: Group, refreshes: Sequence[Refresh], wanted: Version, since: datetime) -> Decision:
    """Decide.

    AWS says nowhere who started a refresh. One that brings a numbered version of this stack's launch template is the
    stack's own: nobody else makes versions of it.

    Args:
        group: The group.
        refreshes: Its refreshes; an active one first, then the newest.
        wanted: The version to move to.
        since: When the channel came to hold the image: refreshes from before belong to an earlier promotion.
    """
    under_way = active(refreshes)
    if under_way is not None:
        return Decision(_beside(under_way, group, wanted), under_way)
    # AWS answers a refresh's start in whole seconds, the parameter's time in milliseconds.
    since = since.replace(microsecond=0)
    last = next((one for one in refreshes if one.version == wanted and one.started >= since), None)
    if last is not None and last.status != SUCCESSFUL:
        return Decision(Next.FAILED, last)
    if group.version == wanted and all(member.version == wanted for member in group.staying):
        return Decision(Next.SETTLE, last)
    return Decision(Next.START)


def _beside(under_way: Refresh, group: Group, wanted: Version) -> Next:
    if under_way.version == wanted:
        return Next.JOIN
    if not is_ours(under_way, [wanted.template]):
        return Next.FOREIGN
    # To the group's own version: a return of ours.
    return Next.UNDO if under_way.forward and under_way.version != group.version else Next.WAIT


def is_ours(refresh: Refresh, templates: Collection[str]) -> bool:
    """Whether a refresh brings a numbered version of one of the stack's launch templates."""
    return refresh.version is not None and refresh.version.is_of(templates)
