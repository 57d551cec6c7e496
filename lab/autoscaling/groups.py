"""What a group needs now, to have the capacity that it asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.autoscaling import health, rolling
from lab.autoscaling.activities import FAILED
from lab.autoscaling.members import UNHEALTHY, Book, Member, book, members, own_spec
from lab.autoscaling.rolling import Fleet, Want

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.refreshes import Refresh, Spec


@dataclass
class Orders:
    """What is to be done for a group.

    Attributes:
        end: Members to terminate, with the cause that a scaling activity names.
        launch: How many to launch.
        spec: What from; None with a launch configuration.
        cause: Id of the refresh that launches them; empty if none does.
    """

    end: list[tuple[Member, str]] = field(default_factory=list)
    launch: int = 0
    spec: Spec | None = None
    cause: str = ""


def orders(group: FakeAutoScalingGroup, now: float, alarm: Callable[[Refresh], str | None]) -> Orders:
    """Look at a group, and let its refresh go on.

    Args:
        group: moto's; members and refresh change.
        now: The lab's time.
        alarm: Name of an alarm of the refresh that is in state ALARM, or None.
    """
    health.watch(group, now)
    kept = book(group)
    if kept.deleting:
        return Orders([(one, "the group is being deleted") for one in members(group) if one.alive])
    alive = [one for one in members(group) if one.alive]
    replaced = [] if health.is_suspended(group, "ReplaceUnhealthy") else _unhealthy(alive)
    fleet = Fleet(group, [one for one in alive if one not in replaced], now)
    refresh = kept.active
    want = rolling.step(refresh, fleet, alarm=alarm(refresh)) if refresh else None
    ends = [(one, "in response to an instance refresh") for one in want.end] if want else []
    if want is None:
        want = _keep(fleet)
        ends = [(one, "shrinking the capacity") for one in want.end]
    found = Orders([(one, "an instance was found unhealthy") for one in replaced] + ends, want.launch)
    return _allowed(found, group, kept, now)


def _unhealthy(alive: list[Member]) -> list[Member]:
    return [one for one in alive if one.health_status == UNHEALTHY]


def _keep(fleet: Fleet) -> Want:
    """The desired capacity, no more and no less.

    Scaling in ends first those that are not of the group's launch template version, then the oldest (user guide,
    "Default termination policy"); never one that is protected from scale in.
    """
    surplus = len(fleet.staying) - fleet.desired
    if surplus <= 0:
        return Want(launch=-surplus)
    spec = own_spec(fleet.group)
    free = [one for one in fleet.staying if not one.protected_from_scale_in]
    free.sort(key=lambda one: (one.spec == spec, one.launched_at))
    return Want(end=free[:surplus])


def _allowed(found: Orders, group: FakeAutoScalingGroup, kept: Book, now: float) -> Orders:
    """Without what is suspended or must wait, and with what launches are made from.

    A scale-out during a refresh launches the desired configuration, not the group's own (user guide, core concepts).
    """
    if health.is_suspended(group, "Terminate"):
        found.end = []
    refresh = kept.active
    if found.launch and now < kept.retry_at:
        found.launch = 0
        if refresh:
            failed = next(one for one in kept.activities if one.status == FAILED)
            refresh.reason = f"Waiting for remaining instances to be available. {failed.message}"
    if health.is_suspended(group, "Launch"):
        found.launch = 0
    forward = refresh is not None and refresh.forward
    found.spec = (refresh.desired if refresh and forward else None) or own_spec(group)
    found.cause = refresh.cause if refresh and (forward or refresh.rollback) else ""
    return found
