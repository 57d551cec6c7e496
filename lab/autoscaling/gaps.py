"""What moto's groups do by themselves and the lab's do in `engine`, and what of the API moto does not refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import EmptyResult
from moto.core.utils import utcnow

from lab.autoscaling import targets
from lab.autoscaling.members import Member, book, members

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = "instance_maintenance_policy"
EXTRAS = {"DefaultInstanceWarmup": "default_instance_warmup", "InstanceMaintenancePolicy": POLICY}
"""Settings of a group that moto drops, and the attribute from which it answers them."""

DELETING = "Delete in progress"

CONFIGURATION = ("LaunchTemplate", "LaunchConfigurationName", "MixedInstancesPolicy")
ACTIVE = (
    "An active instance refresh with a desired configuration exists. All configuration options derived from the "
    "desired configuration are not available for update while the instance refresh is active."
)
"""User guide, "How an instance refresh works", desired configuration: nobody takes the version from under a refresh."""


def fill() -> None:
    """Replace these parts of moto, for this process; a second time does nothing."""
    if hasattr(AutoScalingBackend, "lab_filled"):
        return
    parts: tuple[tuple[Any, str, Any], ...] = (
        (AutoScalingBackend, "lab_filled", True),
        (FakeAutoScalingGroup, "set_desired_capacity", _set_desired_capacity),
        (FakeAutoScalingGroup, "update", _update(FakeAutoScalingGroup.update)),
        (AutoScalingBackend, "detach_instances", _detach(AutoScalingBackend.detach_instances)),
        (AutoScalingBackend, "detach_load_balancer_target_groups", _detach_targets),
        (AutoScalingBackend, "notify_terminate_instances", _leave_it),
        (AutoScalingBackend, "update_attached_target_groups", _leave_it),
        (AutoScalingResponse, "create_auto_scaling_group", _create(AutoScalingResponse)),
        (AutoScalingResponse, "update_auto_scaling_group", _settings(AutoScalingResponse)),
        (AutoScalingResponse, "delete_auto_scaling_group", _delete),
        (AutoScalingResponse, "set_desired_capacity", _set_desired(AutoScalingResponse.set_desired_capacity)),
        (AutoScalingResponse, "set_instance_health", _set_health(AutoScalingResponse.set_instance_health)),
    )
    for owner, name, value in parts:
        setattr(owner, name, value)


def existing(self: AutoScalingResponse) -> FakeAutoScalingGroup:
    """The group that a call names.

    Raises:
        ValidationError: There is none.
    """
    name = self._get_param("AutoScalingGroupName")
    group = self.autoscaling_backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError("AutoScalingGroup name not found - null")
    return group


def _leave_it(*_: Any, **__: Any) -> None:
    """The engine sees it, and does it."""


def _set_desired_capacity(self: FakeAutoScalingGroup, new_capacity: int | None) -> None:
    """Moto launches and terminates here, in no time."""
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity


def _update(of_moto: Callable[..., None]) -> Callable[..., None]:
    """A desired capacity that is not given is moved into the new bounds (API reference, UpdateAutoScalingGroup)."""

    def update(self: FakeAutoScalingGroup, *arguments: Any, **named: Any) -> None:
        before = self.desired_capacity or 0
        asked = named.get("desired_capacity")
        of_moto(self, *arguments, **named)
        wanted = before if asked is None else asked
        inside = min(max(wanted, self.min_size or 0), self.max_size or 0)
        if asked is not None and inside != asked:
            raise _out_of_bounds(asked, self)
        self.desired_capacity = inside

    return update


def _out_of_bounds(asked: int, group: FakeAutoScalingGroup) -> ValidationError:
    side, size = (
        ("above max", group.max_size) if asked > (group.max_size or 0) else ("below min", group.min_size)
    )
    return ValidationError(
        f"New SetDesiredCapacity value {asked} is {side} value {size} for the AutoScalingGroup."
    )


def _set_desired(of_moto: Callable[..., Any]) -> Callable[..., Any]:
    def set_desired_capacity(self: AutoScalingResponse) -> Any:
        group = existing(self)
        asked = int(self._get_param("DesiredCapacity"))
        if not (group.min_size or 0) <= asked <= (group.max_size or 0):
            raise _out_of_bounds(asked, group)
        return of_moto(self)

    return set_desired_capacity


def _set_health(of_moto: Callable[..., Any]) -> Callable[..., Any]:
    """Respect the grace period "by default" (API reference, SetInstanceHealth), of which moto knows nothing."""

    def set_instance_health(self: AutoScalingResponse) -> Any:
        instance_id = self._get_param("InstanceId")
        found = self.autoscaling_backend.describe_auto_scaling_instances([instance_id])
        if not found:
            raise ValidationError(
                f"Instance Id not found - No managed instance found for instance ID: {instance_id}"
            )
        sick = self._get_param("HealthStatus") == "Unhealthy"
        if sick and isinstance(found[0], Member) and self._get_bool_param("ShouldRespectGracePeriod", True):
            found[0].told_unhealthy = True
            return EmptyResult()
        if isinstance(found[0], Member):
            found[0].told_unhealthy = False
        return of_moto(self)

    return set_instance_health


def _detach(of_moto: Callable[..., Any]) -> Callable[..., Any]:
    """What is detached gets no more requests (user guide, "Detach or attach instances")."""

    def detach_instances(
        self: AutoScalingBackend, group_name: str, instance_ids: list[str], *arguments: Any, **named: Any
    ) -> Any:
        group = self.autoscaling_groups[group_name]
        for member in members(group):
            if member.instance_id in instance_ids:
                targets.deregister(group, member)
        return of_moto(self, group_name, instance_ids, *arguments, **named)

    return detach_instances


def _detach_targets(self: AutoScalingBackend, group_name: str, target_group_arns: list[str]) -> None:
    """Moto fails where a member is not registered, such as one that is not in service yet."""
    group = self.autoscaling_groups[group_name]
    for member in members(group):
        targets.deregister(group, member, target_group_arns)
    group.target_group_arns = [arn for arn in group.target_group_arns if arn not in target_group_arns]


def _keep_extras(self: AutoScalingResponse) -> None:
    group = existing(self)
    for name, attribute in EXTRAS.items():
        value = self._get_param(name)
        if value is not None:
            setattr(group, attribute, value)


def _create(responses: type[AutoScalingResponse]) -> Callable[..., Any]:
    of_moto: Callable[..., Any] = responses.create_auto_scaling_group

    def create_auto_scaling_group(self: AutoScalingResponse) -> Any:
        name = self._get_param("AutoScalingGroupName")
        if name in self.autoscaling_backend.autoscaling_groups:
            raise AlreadyExistsError(name)
        answer = of_moto(self)
        _keep_extras(self)
        # Moto has a text there, in the time of the host's zone.
        existing(self).created_time = utcnow()  # type: ignore[assignment]
        # "Its default value is 0 seconds when you create an Auto Scaling group using the AWS CLI or an SDK" (user
        # guide, "Set the health check grace period"); moto has the console's 300.
        existing(self).health_check_grace_period = int(self._get_param("HealthCheckGracePeriod") or 0)
        return answer

    return create_auto_scaling_group


class AlreadyExistsError(AutoscalingClientError):
    """AlreadyExists of the API."""

    code = "AlreadyExists"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        )


class ResourceInUseError(AutoscalingClientError):
    """ResourceInUse of the API."""

    code = "ResourceInUse"
    message = (
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
        "still in the group."
    )


def _settings(responses: type[AutoScalingResponse]) -> Callable[..., Any]:
    of_moto: Callable[..., Any] = responses.update_auto_scaling_group

    def update_auto_scaling_group(self: AutoScalingResponse) -> Any:
        active = book(existing(self)).active
        if active and active.desired and any(self._get_param(name) for name in CONFIGURATION):
            raise ValidationError(ACTIVE)
        answer = of_moto(self)
        _keep_extras(self)
        return answer

    return update_auto_scaling_group


def _delete(self: AutoScalingResponse) -> EmptyResult:
    """A group with instances goes only by force, and when they have (API reference, DeleteAutoScalingGroup)."""
    group = existing(self)
    if not group.instance_states:
        del self.autoscaling_backend.autoscaling_groups[group.name]
        return EmptyResult()
    if not self._get_bool_param("ForceDelete", if_none=False):
        raise ResourceInUseError
    book(group).deleting = True
    group.status = DELETING  # type: ignore[attr-defined]
    return EmptyResult()


def forget_ended(group: FakeAutoScalingGroup, backend: AutoScalingBackend) -> None:
    """Remove a group that is being deleted, once its last machine has ended."""
    if book(group).deleting and not any(isinstance(one, Member) for one in group.instance_states):
        backend.autoscaling_groups.pop(group.name, None)
