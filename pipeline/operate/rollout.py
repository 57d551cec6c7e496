"""The command `rollout`: the roll-out of a stack's group that is under way, the last ones, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pipeline import record
from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.model import group_name
from pipeline.rollout.decide import is_ours
from pipeline.rollout.preview_lines import took
from pipeline.rollout.watch import is_well
from pipeline.scaling import active
from pipeline.settings import load
from pipeline.settings.contradictions import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.scaling import Group, Refresh, TargetHealth, Version


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A group and its roll-outs.

    Attributes:
        stack: The stack's name.
        group: The group.
        refreshes: Its refreshes: an active one first, then the newest.
        templates: IDs of the channel's launch templates.
        targets: What target groups say of its machines.
        images: The image of each version that matters: the group's, and the one under way.
    """

    stack: str
    group: Group
    refreshes: Sequence[Refresh]
    templates: Sequence[str]
    targets: Mapping[str, TargetHealth]
    images: Mapping[Version, str]

    @property
    def active(self) -> Refresh | None:
        """The refresh that is under way."""
        return active(self.refreshes)

    @property
    def new(self) -> int:
        """How many machines have the version that is under way."""
        version = self.active.version if self.active else None
        return len(self.group.at(version)) if version else 0

    @property
    def healthy(self) -> int:
        """How many machines are healthy."""
        return sum(is_well(one, self.group, self.targets) for one in self.group.staying)


def look(*, stack: str, config_file: Path) -> tuple[Account, Seen]:
    """Read a stack's group.

    Args:
        stack: The stack's name.
        config_file: Its config file.

    Raises:
        PipelineError: The stack has no group, or its group does not exist yet.
    """
    settings = load.read(stack, config_file)
    name = group_name(settings.role, settings.channel)
    if settings.fleet.group is None:
        raise PipelineError(
            f"stack {stack} has no group of machines: nothing is rolled out",
            seen=f"no key {GROUP}",
            allowed="a stack with a group",
            change=f"{GROUP} in {config_file}; docs/roll-out.md",
        )
    account = Account(region=settings.region, profile=settings.profile)
    group = account.groups.find(name)
    if group is None:
        raise PipelineError(
            f"the Auto Scaling group {name} does not exist yet",
            seen=f"no group of that name in {settings.region}",
            allowed="a group that the stack has created",
            change=f"`pulumi up --stack {stack}`",
        )
    refreshes = account.groups.refreshes(name)
    versions = {group.version, *(one.version for one in refreshes if one.active)} - {None}
    return account, Seen(
        stack=stack,
        group=group,
        refreshes=refreshes,
        templates=account.templates.of_channel(settings.role, settings.channel),
        targets=account.groups.targets(group.target_groups),
        images={one: image for one in versions if one and (image := account.templates.image(one))},
    )


def go_back(account: Account, seen: Seen) -> Refresh:
    """Ask AWS to roll back the roll-out that is under way.

    Args:
        account: The account.
        seen: What was read.

    Returns:
        It.

    Raises:
        PipelineError: There is none, it is not this stack's, it goes back already, or AWS could not.
    """
    found, name = seen.active, seen.group.name
    if found is None:
        raise PipelineError(
            f"no roll-out of {name} is under way",
            seen=_last(seen),
            allowed="a roll-out that is under way",
            change=f"`python -m pipeline rollback {seen.stack}` pins the image before; `pulumi up` then rolls it out",
        )
    if not is_ours(found, seen.templates):
        raise PipelineError(
            f"the instance refresh of {name} that is under way is not of stack {seen.stack}; it is left alone",
            seen=f"{found.id}: {found.status}, {found.percent} %, brings {_brings(seen, found.version)}",
            allowed="a refresh to a numbered version of the stack's launch template",
            change="wait for its end, or, if you may end it, "
            f"`aws autoscaling cancel-instance-refresh --auto-scaling-group-name {name}`",
        )
    if not found.forward or found.version == seen.group.version:
        raise PipelineError(
            f"the roll-out of {name} goes back already",
            seen=f"{found.id}: {found.status}, {found.percent} %",
            allowed="a roll-out that goes forward",
            change=f"`python -m pipeline rollout {seen.stack}` shows how far it is",
        )
    if not account.groups.roll_back(name):
        raise PipelineError(
            f"AWS cannot roll back the instance refresh of {name}",
            seen=f"{found.id}, which was {found.status} a moment ago, has ended or cannot be undone",
            allowed="a roll-out that is under way",
            change=f"`python -m pipeline rollout {seen.stack}` shows what became of it",
        )
    return found


def lines(seen: Seen) -> Iterator[str]:
    """What there is to see, for people."""
    group, under_way = seen.group, seen.active
    staying = len(group.staying)
    yield (
        f"group {group.name}: {staying} of {group.desired} machines, {seen.healthy} of them healthy; launches "
        f"{_brings(seen, group.version)}"
    )
    if under_way is None:
        yield "no roll-out is under way"
    else:
        whose = "" if is_ours(under_way, seen.templates) else f"; stack {seen.stack} did not start it"
        how_far = f"{under_way.status}, {under_way.percent} %, {under_way.id}"
        yield f"under way since {_time(under_way)}: {how_far}{whose}"
        yield f"  to {_brings(seen, under_way.version)}; machines: {seen.new} new, {staying - seen.new} old"
        if under_way.reason:
            yield f"  {under_way.reason}"
    ended = [one for one in seen.refreshes if not one.active]
    if ended:
        yield "before (AWS keeps six weeks):"
    for one in ended:
        number = f"version {one.version.number}" if one.version else "the group's own version"
        why = one.rollback or one.reason
        yield f"  {_time(one)}  {one.status}, {took(one)}, {number}, {one.id}{f': {why}' if why else ''}"


def as_json(seen: Seen) -> dict[str, Any]:
    """The same for scripts."""
    group = seen.group
    return {
        "group": group.name,
        "desired": group.desired,
        "machines": len(group.staying),
        "healthy": seen.healthy,
        "new": seen.new,
        "version": group.version.number if group.version else None,
        "imageId": seen.images.get(group.version) if group.version else None,
        "underWay": _row(seen, seen.active) if seen.active else None,
        "before": [_row(seen, one) for one in seen.refreshes if not one.active],
    }


def _row(seen: Seen, one: Refresh) -> dict[str, Any]:
    return {
        "id": one.id,
        "status": one.status,
        "percent": one.percent,
        "left": one.left,
        "started": record.written(one.started),
        "ended": record.written(one.ended) if one.ended else None,
        "version": one.version.number if one.version else None,
        "imageId": seen.images.get(one.version) if one.version else None,
        "reason": one.rollback or one.reason,
        "ours": is_ours(one, seen.templates),
    }


def _brings(seen: Seen, version: Version | None) -> str:
    if version is None:
        return "no version of a launch template"
    image = seen.images.get(version)
    return f"{version}{f' with {image}' if image else ''}"


def _last(seen: Seen) -> str:
    last = next(iter(seen.refreshes), None)
    return (
        f"the last one, {last.id} of {_time(last)}, is {last.status}" if last else "no roll-out in six weeks"
    )


def _time(refresh: Refresh) -> str:
    return f"{refresh.started.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
