"""What a refresh does next: which members end, and how many are launched."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.autoscaling import health, refreshes
from lab.autoscaling.members import PENDING, STANDBY, TERMINATING, Member, members
from lab.autoscaling.refreshes import Rollback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.refreshes import Refresh

PATIENCE = 3600
"""Seconds without a replacement until it fails: "When an instance refresh is unable to continue making replacements
because it is waiting to replace instances on standby or protected from scale in, or the new instances do not pass their
health checks, Amazon EC2 Auto Scaling keeps retrying for an hour ... If the problem persists after an hour, the
operation fails" (user guide, "How an instance refresh works", limitations). The lab adds the warm-up, in which nothing
can be replaced."""


@dataclass
class Want:
    """What shall happen to a group now.

    Attributes:
        end: Members to terminate.
        launch: How many to launch.
    """

    end: list[Member] = field(default_factory=list)
    launch: int = 0


@dataclass
class Fleet:
    """A group at a moment.

    Attributes:
        group: moto's.
        staying: Members that count to its capacity, without those that are replaced as unhealthy.
        now: The lab's time.
    """

    group: FakeAutoScalingGroup
    staying: Sequence[Member]
    now: float

    @property
    def desired(self) -> int:
        """The desired capacity."""
        return self.group.desired_capacity or 0

    @property
    def moving(self) -> bool:
        """Whether a launch or a termination is on its way."""
        return any(one.lifecycle_state in {PENDING, TERMINATING} for one in members(self.group))


def step(refresh: Refresh, fleet: Fleet, *, alarm: str | None) -> Want | None:
    """Let a refresh go on; None if the group is to keep its capacity meanwhile.

    Args:
        refresh: An active one; its state changes.
        fleet: Its group.
        alarm: Name of one of its alarms that is in state ALARM.
    """
    if refresh.forward and alarm is not None:
        _fail(refresh, fleet, f"CloudWatch alarm {alarm} is in the ALARM state.")
    match refresh.status:
        case refreshes.PENDING:
            refresh.status, refresh.progress_at = refreshes.IN_PROGRESS, fleet.now
            return step(refresh, fleet, alarm=None)
        case refreshes.IN_PROGRESS:
            return _forward(refresh, fleet)
        case refreshes.BAKING:
            if fleet.now >= (refresh.wait_until or 0.0):
                _succeed(refresh, fleet)
        case refreshes.CANCELLING:
            if not (refresh.wait_for_transitions and fleet.moving):
                refresh.end(refreshes.CANCELLED, "Cancelled due to user request.", fleet.now)
        case refreshes.ROLLING_BACK:
            return _back(refresh, fleet)
        case _:
            pass
    return None


def begin_rollback(refresh: Refresh, fleet: Fleet, reason: str) -> None:
    """Replace what the refresh has launched with the group's own configuration (user guide, "Undo changes")."""
    new = {one.instance_id for one in members(fleet.group) if one.cause == refresh.id and one.alive}
    refresh.rollback = Rollback(reason, fleet.now, refresh.percentage, refresh.to_update)
    refresh.old, refresh.total, refresh.updated = new, len(new), 0
    refresh.status, refresh.reason = refreshes.ROLLING_BACK, reason
    refresh.progress_at, refresh.wait_until = fleet.now, None


def _fail(refresh: Refresh, fleet: Fleet, reason: str) -> None:
    """Roll back if it was asked for: "if the instance refresh fails or a CloudWatch alarm threshold is met"."""
    if refresh.preferences.auto_rollback:
        begin_rollback(refresh, fleet, f"Auto rollback: {reason}")
    else:
        refresh.end(refreshes.FAILED, reason, fleet.now)


def _forward(refresh: Refresh, fleet: Fleet) -> Want | None:
    said = refresh.preferences
    if refresh.wait_until is not None:
        if fleet.now < refresh.wait_until:
            return None
        refresh.wait_until, refresh.progress_at = None, fleet.now
        refresh.reached += 1
    if _is_stuck(refresh, fleet):
        _fail(refresh, fleet, f"No instance was replaced for an hour. {refresh.reason or ''}".strip())
        return step(refresh, fleet, alarm=None)
    marks = said.checkpoints or (100,)
    goal = math.ceil(refresh.total * marks[min(refresh.reached, len(marks) - 1)] / 100)
    want, waiting = _replace(refresh, fleet, goal)
    refresh.percentage = 100 * refresh.updated // refresh.total if refresh.total else 100
    refresh.to_update = refresh.total - refresh.updated
    refresh.reason = waiting
    if waiting or want.end or want.launch:
        return want
    if refresh.reached < len(marks) - 1:
        refresh.wait_until = fleet.now + said.delay
        refresh.reason = f"Waiting at a checkpoint: {marks[refresh.reached]} percent are replaced."
    elif said.bake:
        refresh.status, refresh.reason = refreshes.BAKING, None
        refresh.wait_until = fleet.now + said.bake
    else:
        _succeed(refresh, fleet)
    return None


def _succeed(refresh: Refresh, fleet: Fleet) -> None:
    """The group takes the desired configuration over.

    "Once the instance refresh succeeds, Amazon EC2 Auto Scaling updates the settings of the Auto Scaling group to
    reflect the new desired configuration" (API reference, StartInstanceRefresh).
    """
    refresh.end(refreshes.SUCCESSFUL, None, fleet.now)
    if refresh.desired is not None:
        template = {"LaunchTemplateId": refresh.desired.template_id, "Version": str(refresh.desired.version)}
        fleet.group._set_launch_configuration("", template, None)


def _back(refresh: Refresh, fleet: Fleet) -> Want | None:
    """PercentageComplete "gradually goes back down to zero during a rollback"; InstancesToUpdate stays."""
    before = refresh.rollback.percentage if refresh.rollback else 0
    if _is_stuck(refresh, fleet):
        refresh.end(refreshes.ROLLBACK_FAILED, refresh.reason, fleet.now)
        return None
    want, waiting = _replace(refresh, fleet, refresh.total)
    left = refresh.total - refresh.updated
    refresh.percentage = before * left // refresh.total if refresh.total else 0
    if waiting or want.end or want.launch:
        refresh.reason = waiting or refresh.reason
        return want
    refresh.end(refreshes.ROLLED_BACK, refresh.rollback.reason if refresh.rollback else None, fleet.now)
    return None


def _is_stuck(refresh: Refresh, fleet: Fleet) -> bool:
    return fleet.now - refresh.progress_at > PATIENCE + refresh.preferences.warmup


def _replace(refresh: Refresh, fleet: Fleet, goal: int) -> tuple[Want, str | None]:
    """Replace up to `goal` of the old members, within the bounds of health.

    Returns:
        What to do now, and what it waits for.
    """
    standby = [one for one in members(fleet.group) if one.lifecycle_state == STANDBY]
    old = [one for one in (*fleet.staying, *standby) if one.instance_id in refresh.old]
    new = [one for one in fleet.staying if one.instance_id not in refresh.old]
    waits = {one.instance_id: health.waits_for(one, fleet.group, refresh, fleet.now) for one in fleet.staying}
    ready = sum(why is None for why in waits.values())
    keep = min(max(0, refresh.total - goal), len(old))
    least, most = _bounds(refresh, fleet)
    free = [one for one in old if _may_end(one, refresh)][: len(old) - keep]
    idle = [one for one in free if waits.get(one.instance_id) is not None]
    busy = [one for one in free if waits.get(one.instance_id) is None and one.lifecycle_state != STANDBY]
    idle += [one for one in free if one.lifecycle_state == STANDBY]
    allowed = ready - least
    if refresh.preferences.most is None and ready == len(fleet.staying) >= fleet.desired:
        # "Setting the minimum healthy percentage to 100 percent limits the rate of replacement to one instance at a
        # time" (user guide, core concepts): so it never stands still, whatever the percentage.
        allowed = max(1, allowed)
    end = idle + busy[: max(0, allowed)]
    # A scale-in meanwhile: what is not ready goes first, or a refresh to a version that never is would keep it up.
    end += [one for one in new if waits[one.instance_id] is not None][: max(0, len(new) - fleet.desired)]
    stays = len([one for one in fleet.staying if one not in end])
    launch = max(0, min(most - stays, fleet.desired - keep - len(new)))
    warm = [one for one in new if waits[one.instance_id] is None]
    _count(refresh, fleet, warm, goal=goal, left=len(old))
    waiting = next((why for why in waits.values() if why), None)
    if waiting is None and len(old) > keep and not end and not launch:
        waiting = "Waiting for instances that are protected from scale in or in Standby."
    if waiting is None and fleet.moving:
        waiting = "Waiting for replaced instances to terminate."
    return Want(end, launch), waiting


def _bounds(refresh: Refresh, fleet: Fleet) -> tuple[int, int]:
    """The least number that stays healthy, "rounded up to the nearest integer", and the most that there may be.

    "When MaxHealthyPercentage is explicitly set and it is mathematically impossible to replace instances while honoring
    both ... bounds simultaneously, Auto Scaling launches a new instance before terminating an old one (temporarily
    exceeding the desired capacity). When MaxHealthyPercentage is omitted, Auto Scaling terminates an instance and
    launches its replacement simultaneously." (API reference, RefreshPreferences)
    """
    least = math.ceil(fleet.desired * refresh.preferences.least / 100)
    if refresh.preferences.most is None:
        return least, fleet.desired
    most = math.floor(fleet.desired * refresh.preferences.most / 100)
    return least, max(most, fleet.desired + 1) if least >= fleet.desired else most


def _may_end(member: Member, refresh: Refresh) -> bool:
    """Whether the preferences let it be replaced; "Wait" waits for an hour, then the refresh fails."""
    if member.lifecycle_state == STANDBY:
        return refresh.preferences.standby == "Terminate"
    return not member.protected_from_scale_in or refresh.preferences.protected == "Refresh"


def _count(refresh: Refresh, fleet: Fleet, warm: Sequence[Member], *, goal: int, left: int) -> None:
    """How many are updated now."""
    updated = min(sum(one.cause == refresh.cause for one in warm), refresh.total)
    if left == refresh.total - goal and len(warm) >= fleet.desired - left:
        updated = goal  # also if the group has become smaller meanwhile
    if updated > refresh.updated:
        refresh.progress_at = fleet.now
    refresh.updated = updated
