"""Scaling activities as they are kept and answered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.autoscaling.clock import Clock

IN_PROGRESS, SUCCESSFUL, FAILED = "InProgress", "Successful", "Failed"
"""API reference, Activity, StatusCode: those that the lab uses."""

CAPACITY = "an instance was started in response to a difference between desired and actual capacity"


@dataclass
class Activity:
    """One launch or termination.

    Attributes:
        group: Name of the group.
        text: Description of the API.
        started: The lab's time, in seconds.
        why: What its cause says.
        message: Why it failed.
        ended: When it did; None while it is in progress.
    """

    group: str
    text: str
    started: float
    why: str = CAPACITY
    status: str = IN_PROGRESS
    message: str = ""
    ended: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, status: str, now: float) -> None:
        """It is over."""
        self.status, self.ended = status, now

    def api(self, clock: Clock) -> dict[str, Any]:
        """As Activity of the API; its end is in whole seconds there (example of DescribeScalingActivities)."""
        at = clock.host(self.started)
        said: dict[str, Any] = {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group,
            "Description": self.text,
            "Cause": f"At {at:%Y-%m-%dT%H:%M:%SZ} {self.why}.",
            "StartTime": at,
            "StatusCode": self.status,
            "Progress": 50 if self.ended is None else 100,
        }
        if self.ended is not None:
            said["EndTime"] = clock.host(self.ended).replace(microsecond=0)
        if self.message:
            said["StatusMessage"] = self.message
        return said
