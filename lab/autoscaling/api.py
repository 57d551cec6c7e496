"""StartInstanceRefresh, DescribeInstanceRefreshes, CancelInstanceRefresh and RollbackInstanceRefresh."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError

from lab import settings as lab_settings
from lab.autoscaling import gaps, rolling
from lab.autoscaling.members import STANDBY, book, is_numbered, members, own_spec
from lab.autoscaling.refreshes import (
    BAKING,
    CANCELLING,
    CHECKPOINT_DELAY,
    IN_PROGRESS,
    MIN_HEALTHY,
    PENDING,
    Preferences,
    Refresh,
    Spec,
)
from lab.moto_gaps import BY_PARAMETER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.clock import Clock

ALARMS = 10
LONGEST = 172_800


class InstanceRefreshInProgressError(AutoscalingClientError):
    """InstanceRefreshInProgress of the API."""

    code = "InstanceRefreshInProgress"
    message = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."


class ActiveInstanceRefreshNotFoundError(AutoscalingClientError):
    """ActiveInstanceRefreshNotFound of the API."""

    code = "ActiveInstanceRefreshNotFound"
    message = "No in progress or pending Instance Refresh found for Auto Scaling group."


class IrreversibleInstanceRefreshError(AutoscalingClientError):
    """IrreversibleInstanceRefresh of the API; the text is that of its reference."""

    code = "IrreversibleInstanceRefresh"
    message = (
        "The request failed because a desired configuration was not found or an incompatible launch template (uses a "
        "Systems Manager parameter instead of an AMI ID) or launch template version ($Latest or $Default) is present "
        "on the Auto Scaling group."
    )


def fill(clock: Clock) -> None:
    """Add the calls to moto, for this process.

    Args:
        clock: The lab's time.
    """

    def start(self: AutoScalingResponse) -> ActionResult:
        return _start(self, clock.now())

    def roll_back(self: AutoScalingResponse) -> ActionResult:
        return _roll_back(self, clock.now())

    def describe(self: AutoScalingResponse) -> ActionResult:
        return _describe(self, clock)

    def describe_activities(self: AutoScalingResponse) -> ActionResult:
        return _describe_activities(self, clock)

    AutoScalingResponse.start_instance_refresh = start  # type: ignore[attr-defined]
    AutoScalingResponse.describe_instance_refreshes = describe  # type: ignore[attr-defined]
    AutoScalingResponse.cancel_instance_refresh = _cancel  # type: ignore[attr-defined]
    AutoScalingResponse.rollback_instance_refresh = roll_back  # type: ignore[attr-defined]
    AutoScalingResponse.describe_scaling_activities = describe_activities  # type: ignore[method-assign]


def _start(self: AutoScalingResponse, now: float) -> ActionResult:
    group = gaps.existing(self)
    if book(group).active:
        raise InstanceRefreshInProgressError
    if self._get_param("Strategy", "Rolling") != "Rolling":
        raise ValidationError("The lab knows only the strategy Rolling.")
    asked = self._get_param("DesiredConfiguration")
    desired = _desired(self, asked)
    preferences = _preferences(group, self._get_param("Preferences") or {})
    if preferences.auto_rollback and not _can_return(group, desired):
        raise ValidationError(f"AutoRollback is not possible: {IrreversibleInstanceRefreshError.message}")
    old = _to_replace(group, preferences, desired or own_spec(group))
    refresh = Refresh(
        id=str(uuid.uuid4()), group=group.name, preferences=preferences, desired=desired, asked=asked,
        old=old, total=len(old), started=now, progress_at=now,
    )  # fmt: skip
    book(group).refreshes.insert(0, refresh)
    return ActionResult({"InstanceRefreshId": refresh.id})


def _to_replace(group: FakeAutoScalingGroup, said: Preferences, spec: Spec | None) -> set[str]:
    """All, but those that match where it asks for that, and those that it ignores."""
    found = set()
    for member in members(group):
        standby = member.lifecycle_state == STANDBY
        if not (member.alive or standby):
            continue
        if said.skip_matching and member.spec == spec:
            continue
        if standby and said.standby == "Ignore":
            continue
        if member.protected_from_scale_in and said.protected == "Ignore":
            continue
        found.add(member.instance_id)
    return found


def _desired(self: AutoScalingResponse, asked: dict[str, Any] | None) -> Spec | None:
    """The version that a DesiredConfiguration names, as a number.

    Raises:
        ValidationError: There is none, or the lab does not know the kind.
    """
    if not asked:
        return None
    given = asked.get("LaunchTemplate")
    if not given:
        raise ValidationError("The lab knows only a DesiredConfiguration with a LaunchTemplate.")
    ec2 = self.autoscaling_backend.ec2_backend
    try:
        if given.get("LaunchTemplateId"):
            template = ec2.get_launch_template(given["LaunchTemplateId"])
        else:
            template = ec2.get_launch_template_by_name(given.get("LaunchTemplateName") or "")
        version = template.get_version(given.get("Version") or "$Default")
    except EC2ClientError as error:
        raise ValidationError(
            f"You must use a valid fully-formed launch template. {error.message}"
        ) from error
    return Spec(template.id, template.name, version.number)


def _preferences(group: FakeAutoScalingGroup, given: dict[str, Any]) -> Preferences:
    """Read them, and refuse what the API reference of RefreshPreferences rules out."""
    policy = getattr(group, gaps.POLICY, None) or {}
    least = _number(given.get("MinHealthyPercentage"), policy.get("MinHealthyPercentage", MIN_HEALTHY))
    most = given.get("MaxHealthyPercentage", policy.get("MaxHealthyPercentage"))
    warmup = getattr(group, "default_instance_warmup", None)
    marks = tuple(int(one) for one in given.get("CheckpointPercentages") or ())
    alarms = tuple((given.get("AlarmSpecification") or {}).get("Alarms") or ())
    said = Preferences(
        least=least,
        most=None if most is None else int(most),
        warmup=_number(
            given.get("InstanceWarmup"),
            warmup if warmup is not None else group.health_check_grace_period or 0,
        ),
        checkpoints=marks,
        delay=_number(given.get("CheckpointDelay"), CHECKPOINT_DELAY),
        skip_matching=bool(given.get("SkipMatching", False)),
        auto_rollback=bool(given.get("AutoRollback", False)),
        bake=_number(given.get("BakeTime"), 0),
        alarms=alarms,
        protected=given.get("ScaleInProtectedInstances") or "Wait",
        standby=given.get("StandbyInstances") or "Wait",
    )
    _check(said, given)
    return said


def _check(said: Preferences, given: dict[str, Any]) -> None:
    known = cloudwatch_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION].alarms
    hundred = 100
    refusals = {
        "MinHealthyPercentage must be from 0 to 100.": not 0 <= said.least <= hundred,
        "MaxHealthyPercentage must be from 100 to 200.": said.most is not None
        and not hundred <= said.most <= 2 * hundred,
        "MinHealthyPercentage must be given with MaxHealthyPercentage.": "MaxHealthyPercentage" in given
        and "MinHealthyPercentage" not in given,
        "MinHealthyPercentage and MaxHealthyPercentage may differ by 100 at the most.": said.most is not None
        and said.most - said.least > hundred,
        "CheckpointPercentages must be unique and in ascending order, from 1 to 100.": any(
            not 1 <= one <= hundred for one in said.checkpoints
        )
        or list(said.checkpoints) != sorted(set(said.checkpoints)),
        "CheckpointDelay needs CheckpointPercentages.": "CheckpointDelay" in given and not said.checkpoints,
        "BakeTime and CheckpointDelay must be from 0 to 172800.": not 0 <= said.bake <= LONGEST
        or not 0 <= said.delay <= LONGEST,
        "AlarmSpecification has more than 10 alarms.": len(said.alarms) > ALARMS,
        "AlarmSpecification names an alarm that does not exist.": any(
            one not in known for one in said.alarms
        ),
    }
    for text, refused in refusals.items():
        if refused:
            raise ValidationError(text)


def _number(value: Any, default: int) -> int:
    return int(default if value is None else value)


def _can_return(group: FakeAutoScalingGroup, desired: Spec | None) -> bool:
    """Whether a rollback is possible (API reference, RollbackInstanceRefresh)."""
    if desired is None or group.ec2_launch_template is None or not is_numbered(group):
        return False
    version = group.ec2_launch_template.get_version(group.launch_template_version)
    return not str(version.data.get("ImageId", "")).startswith(BY_PARAMETER)


def _describe(self: AutoScalingResponse, clock: Clock) -> ActionResult:
    """The newest first.

    "Instance refreshes are ordered by start time. Instance refreshes still in progress are described first." (user
    guide, "Check the status of an instance refresh")
    """
    group = gaps.existing(self)
    wanted = self._get_param("InstanceRefreshIds", [])
    found = [one for one in book(group).refreshes if not wanted or one.id in wanted]
    found.sort(key=lambda one: not one.active)
    page, token = _page(self, found, size=50)
    return ActionResult({"InstanceRefreshes": [one.api(clock) for one in page], "NextToken": token})


def _describe_activities(self: AutoScalingResponse, clock: Clock) -> ActionResult:
    """The newest first. moto does not have this call."""
    name = self._get_param("AutoScalingGroupName")
    groups = [gaps.existing(self)] if name else list(self.autoscaling_backend.autoscaling_groups.values())
    wanted = self._get_param("ActivityIds", [])
    found = [one for group in groups for one in book(group).activities if not wanted or one.id in wanted]
    page, token = _page(self, found, size=100)
    return ActionResult({"Activities": [one.api(clock) for one in page], "NextToken": token})


def _page(self: AutoScalingResponse, found: Sequence[Any], *, size: int) -> tuple[Sequence[Any], str | None]:
    """What a call gets of a list, at most `size` unless it says otherwise, and the token for the rest."""
    start = int(self._get_param("NextToken") or 0)
    end = start + int(self._get_param("MaxRecords") or size)
    return found[start:end], str(end) if end < len(found) else None


def _active(group: FakeAutoScalingGroup) -> Refresh:
    found = book(group).active
    if found is None:
        raise ActiveInstanceRefreshNotFoundError
    return found


def _cancel(self: AutoScalingResponse) -> ActionResult:
    refresh = _active(gaps.existing(self))
    refresh.status, refresh.reason, refresh.wait_until = CANCELLING, "Cancelled due to user request.", None
    refresh.wait_for_transitions = self._get_bool_param("WaitForTransitioningInstances", if_none=True)
    return ActionResult({"InstanceRefreshId": refresh.id})


def _roll_back(self: AutoScalingResponse, now: float) -> ActionResult:
    group = gaps.existing(self)
    refresh = _active(group)
    if refresh.status not in {PENDING, IN_PROGRESS, BAKING}:
        raise ActiveInstanceRefreshNotFoundError
    if not _can_return(group, refresh.desired):
        raise IrreversibleInstanceRefreshError
    fleet = rolling.Fleet(group, [one for one in members(group) if one.alive], now)
    rolling.begin_rollback(refresh, fleet, "Rollback was requested by the user.")
    return ActionResult({"InstanceRefreshId": refresh.id})
