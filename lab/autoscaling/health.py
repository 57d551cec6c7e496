"""Whether a member is healthy, and whether it is ready for what a refresh does next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.autoscaling import targets
from lab.autoscaling.members import (
    HEALTHY,
    IN_SERVICE,
    PENDING,
    TERMINATING,
    UNHEALTHY,
    Member,
    book,
    members,
)

if TYPE_CHECKING:
    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.refreshes import Refresh

ENDING = frozenset({"stopping", "stopped", "shutting-down", "terminated"})
"""Such an instance is unhealthy, also in its grace period: "Amazon EC2 Auto Scaling considers an instance unhealthy if
it's in any state other than running" (user guide, "About the health checks for your Auto Scaling group")."""


def watch(group: FakeAutoScalingGroup, now: float) -> None:
    """See what has become of the members since the last look."""
    for member in members(group):
        state = member.instance.state
        if member.lifecycle_state == TERMINATING:
            if state == "terminated":
                group.instance_states = [one for one in group.instance_states if one is not member]
                book(group).end(member.instance_id, now)
        elif state in ENDING:
            member.health_status = UNHEALTHY
        elif member.lifecycle_state == PENDING and state == "running":
            member.lifecycle_state, member.in_service_at = IN_SERVICE, now
            book(group).end(member.instance_id, now)
        elif member.lifecycle_state == IN_SERVICE and _fails(group, member, now):
            member.health_status = UNHEALTHY
    targets.register(group, [one for one in members(group) if one.lifecycle_state == IN_SERVICE])


def _fails(group: FakeAutoScalingGroup, member: Member, now: float) -> bool:
    """Whether the load balancer, or somebody by SetInstanceHealth, calls it unhealthy after its grace period.

    "The grace period prevents Amazon EC2 Auto Scaling from marking your newly launched instances Unhealthy ... if they
    don't immediately pass these health checks after they enter the InService state" (user guide, "Set the health check
    grace period for an Auto Scaling group").
    """
    grace = int(group.health_check_grace_period or 0)
    if is_suspended(group, "HealthCheck") or now < (member.in_service_at or now) + grace:
        return False
    return member.told_unhealthy or (asks_balancer(group) and targets.judge(group, member) == "unhealthy")


def asks_balancer(group: FakeAutoScalingGroup) -> bool:
    """Whether health checks of Elastic Load Balancing count for the group."""
    return "ELB" in (group.health_check_type or "").split(",")


def is_suspended(group: FakeAutoScalingGroup, process: str) -> bool:
    """Whether a process of the group is (user guide, "Suspend and resume Amazon EC2 Auto Scaling processes")."""
    return any(one["ProcessName"] == process for one in group.suspended_processes)


def waits_for(member: Member, group: FakeAutoScalingGroup, refresh: Refresh, now: float) -> str | None:
    """Why a refresh does not count a member as in service, healthy and warm; None if it does.

    "When the instance's health status changes to healthy and the specified warm-up time passes, the instance is
    considered updated" (API reference, InstanceRefresh, PercentageComplete). The second and third text are AWS's own
    (example of describe-instance-refreshes in the AWS CLI; re:Post, "asg instance refresh spends too much time
    evaluating instance health"), the first is the lab's.
    """
    one = member.instance_id
    if member.lifecycle_state != IN_SERVICE or member.health_status != HEALTHY:
        return f"Waiting for remaining instances to be available. For example: {one} is not in service."
    if member.cause != refresh.cause:
        return None
    if asks_balancer(group) and targets.judge(group, member) != "healthy":
        return (
            f"Waiting for remaining instances to be available. For example: {one} has insufficient data to evaluate "
            "its health with Elastic Load Balancing."
        )
    if now < (member.in_service_at or now) + refresh.preferences.warmup:
        return f"Waiting for instances to warm up before continuing. For example: {one} is warming up."
    return None
