"""What a preview says of the machines, in addition to the engine's own diff: how many are replaced, and how."""

from __future__ import annotations

import math
import re
from datetime import UTC
from typing import TYPE_CHECKING, NamedTuple

from pipeline.rollout.decide import is_ours
from pipeline.scaling import active
from pipeline.settings.contradictions import GROUP

if TYPE_CHECKING:
    from pipeline.rollout.outlook import Outlook
    from pipeline.scaling import Refresh
    from pipeline.settings.group import RefreshKeys

MINUTE, HOUR = 60, 3600


class Line(NamedTuple):
    """A text for people, and whether it is a warning."""

    text: str
    warning: bool = False


def lines(outlook: Outlook, number: int | None) -> list[Line]:
    """Lines about a roll-out: none if the group launches that version already, and nothing is under way.

    Args:
        outlook: The group.
        number: The version of the launch template that the update ends at; None for one that it makes first.
    """
    group = outlook.group
    if group is not None and group.version is not None and group.version.number == str(number):
        return _under_way(outlook)
    return [Line(_machines(outlook)), *_under_way(outlook), *_judges(outlook)]


def summary(text: str) -> str | None:
    """The part of a line of `lines` that fits into a headline, such as ``3 machines will be replaced``."""
    found = re.match(r"group [a-z0-9-]+: (\d+ machines? will be (?:replaced|launched))\b", text)
    return found[1] if found else None


def bounds(refresh: RefreshKeys, desired: int) -> tuple[int, int]:
    """The least number of machines that stay healthy in a roll-out, and the most that there are (RefreshPreferences).

    Args:
        refresh: The roll-out's keys.
        desired: The desired capacity.
    """
    least = math.ceil(desired * refresh.min_healthy_percent / 100)
    most = math.floor(desired * refresh.max_healthy_percent / 100)
    return least, max(most, desired + 1) if least >= desired else most


def took(refresh: Refresh) -> str:
    """How long a refresh that has ended took, such as ``12 minutes``; empty for one that has not."""
    if refresh.ended is None:
        return ""
    seconds = int((refresh.ended - refresh.started).total_seconds())
    if seconds < 2 * MINUTE:
        return f"{seconds} seconds"
    if seconds < 2 * HOUR:
        return f"{seconds // MINUTE} minutes"
    minutes = seconds % HOUR // MINUTE
    return f"{seconds // HOUR} hours {minutes} minute{'' if minutes == 1 else 's'}"


def _machines(outlook: Outlook) -> str:
    group, desired = outlook.group, outlook.desired
    if group is None:
        return f"group {outlook.name}: {_count(desired)} will be launched"
    replaced = len(group.staying)
    least, most = bounds(outlook.keys.refresh, desired)
    # Fewer than the group has, and one at least.
    once = max(1, min(replaced, most - least))
    text = f"group {outlook.name}: {_count(replaced)} will be replaced"
    if replaced:
        text += f", at most {once} at once, at least {least} healthy"
    ours = (one for one in outlook.refreshes if is_ours(one, outlook.templates))
    last = next((one for one in ours if one.ended is not None), None)
    if last is not None and last.ended is not None:
        text += (
            f"; the last roll-out took {took(last)} ({last.status}, {last.ended.astimezone(UTC):%Y-%m-%d})"
        )
    return text


def _under_way(outlook: Outlook) -> list[Line]:
    found = active(outlook.refreshes)
    if found is None:
        return []
    brings = f" to version {found.version.number}" if found.version else ""
    how_far = f"{found.id}: {found.status}, {found.percent} %"
    return [
        Line(
            f"group {outlook.name}: a roll-out{brings} is under way ({how_far}); `pulumi up` waits for its end"
        )
    ]


def _judges(outlook: Outlook) -> list[Line]:
    if outlook.keys.target_group_arns:
        return []
    return [
        Line(
            f"group {outlook.name} has no target group ({GROUP}.targetGroupArns in {outlook.stack_file}): nothing but "
            "EC2's own state decides whether a machine is healthy, so an image whose service fails is rolled out",
            warning=True,
        )
    ]


def _count(number: int) -> str:
    return f"{number} machine{'' if number == 1 else 's'}"
