"""The machines of a group, and what the lab keeps of a group beside moto."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import FakeAutoScalingGroup, InstanceState

from lab.autoscaling.activities import IN_PROGRESS, SUCCESSFUL
from lab.autoscaling.refreshes import Spec

if TYPE_CHECKING:
    from moto.ec2.models.instances import Instance

    from lab.autoscaling.activities import Activity
    from lab.autoscaling.refreshes import Refresh

PENDING, IN_SERVICE, STANDBY, TERMINATING = "Pending", "InService", "Standby", "Terminating"
HEALTHY, UNHEALTHY = "Healthy", "Unhealthy"
ACTIVITIES = 100
"""How many scaling activities of a group are kept; AWS keeps those of six weeks."""


class Member(InstanceState):
    """An instance of a group.

    Args:
        instance: moto's.
        group: Whose it is.
        spec: What it was launched from; None for one of a launch configuration, or attached by hand.
        cause: Id of the refresh that launched it; empty if none did.
        now: The lab's time.
    """

    def __init__(
        self, instance: Instance, group: FakeAutoScalingGroup, spec: Spec | None, *, cause: str, now: float
    ) -> None:
        super().__init__(
            instance,
            lifecycle_state=PENDING,
            protected_from_scale_in=group.new_instances_protected_from_scale_in,
            autoscaling_group=group,
        )
        self.spec = spec
        self.cause = cause
        self.launched_at = now
        self.in_service_at: float | None = None
        self.told_unhealthy = False

    @property
    def launch_template(self) -> dict[str, Any] | None:
        """Of the version that it was launched from, whatever the group has by now."""
        return self.spec.api() if self.spec else None

    @property
    def launch_template_specification(self) -> dict[str, Any] | None:
        """The same, for the rest of the API."""
        return self.launch_template

    @property
    def alive(self) -> bool:
        """Whether it counts to the capacity."""
        return self.lifecycle_state in {PENDING, IN_SERVICE}


@dataclass
class Book:
    """What the lab keeps of a group.

    Attributes:
        refreshes: The newest first.
        activities: The newest first.
        retry_at: No launch before that time, after one that failed.
        deleting: Whether the group goes once its machines are gone.
    """

    refreshes: list[Refresh] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)
    retry_at: float = 0.0
    deleting: bool = False

    @property
    def active(self) -> Refresh | None:
        """The refresh that is on its way."""
        return next((one for one in self.refreshes if one.active), None)

    def note(self, activity: Activity) -> None:
        """Write an activity down."""
        self.activities.insert(0, activity)
        del self.activities[ACTIVITIES:]

    def end(self, instance_id: str, now: float) -> None:
        """What was in progress with an instance is over."""
        for activity in self.activities:
            if activity.status == IN_PROGRESS and activity.text.endswith(instance_id):
                activity.end(SUCCESSFUL, now)


def book(group: FakeAutoScalingGroup) -> Book:
    """The group's; it is kept in the account with it."""
    found: Book = group.__dict__.setdefault("lab_book", Book())
    return found


def members(group: FakeAutoScalingGroup) -> list[Member]:
    """All of them, also those on their way out."""
    return [one for one in group.instance_states if isinstance(one, Member)]


def own_spec(group: FakeAutoScalingGroup) -> Spec | None:
    """What the group's settings say now; None with a launch configuration."""
    template = group.ec2_launch_template
    if template is None:
        return None
    return Spec(template.id, template.name, template.get_version(group.launch_template_version).number)


def is_numbered(group: FakeAutoScalingGroup) -> bool:
    """Whether the group names a version by its number, and not $Latest or $Default."""
    return group.ec2_launch_template is not None and str(group.launch_template_version).isdecimal()
