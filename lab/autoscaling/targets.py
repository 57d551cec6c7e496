"""Target groups: who is registered, and what the health checks (`probes`) say of each target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup, elbv2_backends

from lab import settings as lab_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.members import Member


@dataclass
class Check:
    """What the health checks of a target have said; texts are those of AWS (API reference, TargetHealth).

    Attributes:
        passed: Checks passed in a row.
        failed: Checks failed in a row.
        due: When the next one is made, in the lab's time.
    """

    state: str = "initial"
    reason: str | None = "Elb.RegistrationInProgress"
    description: str | None = "Target registration is in progress"
    passed: int = 0
    failed: int = 0
    due: float = 0.0


def backend() -> Any:
    """Elastic Load Balancing of moto, for the lab's account and region."""
    return elbv2_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION]


def groups_of(group: FakeAutoScalingGroup) -> Iterator[FakeTargetGroup]:
    """The target groups of an Auto Scaling group that are there; each may go before the group."""
    for arn in group.target_group_arns:
        found = backend().target_groups.get(arn)
        if found is not None:
            yield found


def register(group: FakeAutoScalingGroup, members: Sequence[Member]) -> None:
    """Register members that are in service and run; no others can be (API reference, RegisterTargets)."""
    for target_group in groups_of(group):
        for member in members:
            if member.instance.state == "running" and member.instance_id not in target_group.targets:
                target_group.register([{"Id": member.instance_id}])


def deregister(group: FakeAutoScalingGroup, member: Member, arns: Collection[str] | None = None) -> None:
    """A member that ends gets no more requests; without open connections the drain is over at once.

    Args:
        group: Its group.
        member: The member.
        arns: The target groups that it leaves; None for all.
    """
    for target_group in groups_of(group):
        if member.instance_id in target_group.targets and (arns is None or target_group.arn in arns):
            target_group.deregister([{"Id": member.instance_id}])
            checks(target_group).pop(member.instance_id, None)


def judge(group: FakeAutoScalingGroup, member: Member) -> str:
    """``unhealthy`` if one of the group's target groups says so, ``healthy`` if all say so, else ``initial``.

    A target group that no load balancer uses makes no checks, and has no say.
    """
    states = {
        status(target_group, member.instance_id).status
        for target_group in groups_of(group)
        if is_used(target_group)
    }
    if "unhealthy" in states:
        return "unhealthy"
    return "healthy" if states <= {"healthy"} else "initial"


def is_used(target_group: FakeTargetGroup) -> bool:
    """Whether a listener of a load balancer forwards to it."""
    return bool(backend()._any_listener_using(target_group.arn))


def checks(target_group: FakeTargetGroup) -> dict[str, Check]:
    """The checks of its targets, by id; kept in the account with it."""
    found: dict[str, Check] = target_group.__dict__.setdefault("lab_checks", {})
    return found


def status(target_group: FakeTargetGroup, target_id: str) -> FakeHealthStatus:
    """The health of a registered target."""
    port = target_group.targets.get(target_id, {}).get("Port", target_group.port)

    def said(*words: str | None) -> FakeHealthStatus:
        return FakeHealthStatus(target_id, port, target_group.health_check_port, *words)  # type: ignore[arg-type]

    if not is_used(target_group):
        return said(
            "unused",
            "Target.NotInUse",
            "Target group is not configured to receive traffic from the load balancer",
        )
    check = checks(target_group).setdefault(target_id, Check())
    return said(check.state, check.reason, check.description)


def _health_for(of_moto: Callable[..., FakeHealthStatus]) -> Callable[..., FakeHealthStatus]:
    """Moto calls everything healthy that is registered and not stopped."""

    def health_for(self: FakeTargetGroup, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:
        found = of_moto(self, target, ec2_backend)
        if found.status == "healthy" and self.target_type in {"instance", "ip"}:
            return status(self, target["Id"])
        return found

    return health_for


def fill() -> None:
    """Let moto answer DescribeTargetHealth with what the checks say; a second time does nothing."""
    if hasattr(FakeTargetGroup, "lab_filled"):
        return
    FakeTargetGroup.health_for = _health_for(FakeTargetGroup.health_for)  # type: ignore[method-assign]
    FakeTargetGroup.lab_filled = True  # type: ignore[attr-defined]
