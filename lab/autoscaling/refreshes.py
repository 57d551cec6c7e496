"""An instance refresh as it is kept and answered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from lab.autoscaling.clock import Clock

PENDING, IN_PROGRESS, BAKING = "Pending", "InProgress", "Baking"
SUCCESSFUL, FAILED = "Successful", "Failed"
CANCELLING, CANCELLED = "Cancelling", "Cancelled"
ROLLING_BACK, ROLLED_BACK, ROLLBACK_FAILED = "RollbackInProgress", "RollbackSuccessful", "RollbackFailed"
"""API reference, InstanceRefresh, Status."""

ACTIVE = frozenset({PENDING, IN_PROGRESS, BAKING, CANCELLING, ROLLING_BACK})
FORWARD = frozenset({PENDING, IN_PROGRESS, BAKING})

MIN_HEALTHY = 90
CHECKPOINT_DELAY = 3600
"""Defaults (user guide, "Understand the default values for an instance refresh")."""


@dataclass(frozen=True)
class Spec:
    """A numbered version of a launch template.

    Attributes:
        template_id: ``lt-…``.
        name: The template's name.
        version: The number.
    """

    template_id: str
    name: str
    version: int

    def api(self) -> dict[str, str]:
        """As LaunchTemplateSpecification."""
        return {
            "LaunchTemplateId": self.template_id,
            "LaunchTemplateName": self.name,
            "Version": str(self.version),
        }


@dataclass(frozen=True, kw_only=True)
class Preferences:
    """How a refresh replaces (API reference, RefreshPreferences).

    Percentages are of the desired capacity, times in seconds.

    Attributes:
        most: None unless given: then a machine ends while its replacement starts.
    """

    least: int = MIN_HEALTHY
    most: int | None = None
    warmup: int = 0
    checkpoints: tuple[int, ...] = ()
    delay: int = CHECKPOINT_DELAY
    skip_matching: bool = False
    auto_rollback: bool = False
    bake: int = 0
    alarms: tuple[str, ...] = ()
    protected: str = "Wait"
    standby: str = "Wait"

    def api(self) -> dict[str, Any]:
        """As RefreshPreferences."""
        said: dict[str, Any] = {
            "MinHealthyPercentage": self.least,
            "InstanceWarmup": self.warmup,
            "SkipMatching": self.skip_matching,
            "AutoRollback": self.auto_rollback,
            "ScaleInProtectedInstances": self.protected,
            "StandbyInstances": self.standby,
            "BakeTime": self.bake,
        }
        if self.most is not None:
            said["MaxHealthyPercentage"] = self.most
        if self.checkpoints:
            said |= {"CheckpointPercentages": list(self.checkpoints), "CheckpointDelay": self.delay}
        if self.alarms:
            said["AlarmSpecification"] = {"Alarms": list(self.alarms)}
        return said


@dataclass
class Rollback:
    """RollbackDetails of the API."""

    reason: str
    started: float
    percentage: int
    to_update: int


@dataclass
class Refresh:
    """One refresh of a group.

    Attributes:
        id: A UUID.
        group: Name of the group.
        preferences: How it replaces.
        desired: What it brings; None if it launches the group's own configuration anew.
        asked: DesiredConfiguration as it was given.
        old: Ids of the instances that it replaces.
        total: How many those were.
        started: The lab's time, in seconds.
        progress_at: When an instance was last replaced.
        updated: How many have been.
        reached: How many checkpoints it has waited at.
        wait_until: End of the wait at a checkpoint, or of the bake time.
        wait_for_transitions: Whether a cancellation waits for launches and terminations.
    """

    id: str
    group: str
    preferences: Preferences
    desired: Spec | None
    asked: dict[str, Any] | None
    old: set[str]
    total: int
    started: float
    progress_at: float
    status: str = PENDING
    reason: str | None = None
    ended: float | None = None
    percentage: int = 0
    updated: int = 0
    reached: int = 0
    wait_until: float | None = None
    rollback: Rollback | None = None
    wait_for_transitions: bool = True
    to_update: int = field(init=False)

    def __post_init__(self) -> None:
        self.to_update = self.total

    @property
    def active(self) -> bool:
        """Whether it blocks another one."""
        return self.status in ACTIVE

    @property
    def forward(self) -> bool:
        """Whether it brings the desired configuration."""
        return self.status in FORWARD

    @property
    def cause(self) -> str:
        """What its launches are marked with: those of a rollback are others."""
        return self.id if self.rollback is None else f"{self.id}/rollback"

    def end(self, status: str, reason: str | None, now: float) -> None:
        """It is over."""
        self.status, self.reason, self.ended, self.wait_until = status, reason, now, None

    def api(self, clock: Clock) -> dict[str, Any]:
        """As InstanceRefresh, whose times are in whole seconds (example of DescribeInstanceRefreshes).

        One that is Pending has no start: "the request was created, but the instance refresh has not started", and
        StartTime is when it "began" and not required (API reference, InstanceRefresh).
        """

        def at(seconds: float) -> datetime:
            return clock.host(seconds).replace(microsecond=0)

        said: dict[str, Any] = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group,
            "Status": self.status,
            "PercentageComplete": self.percentage,
            "InstancesToUpdate": self.to_update,
            "Preferences": self.preferences.api(),
            "Strategy": "Rolling",
        }
        if self.status != PENDING:
            said["StartTime"] = at(self.started)
        if self.reason:
            said["StatusReason"] = self.reason
        if self.ended is not None:
            said["EndTime"] = at(self.ended)
        if self.asked:
            said["DesiredConfiguration"] = self.asked
        if self.rollback:
            said["RollbackDetails"] = {
                "RollbackReason": self.rollback.reason,
                "RollbackStartTime": at(self.rollback.started),
                "PercentageCompleteOnRollback": self.rollback.percentage,
                "InstancesToUpdateOnRollback": self.rollback.to_update,
            }
        return said
