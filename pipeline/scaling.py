"""Groups of machines and their instance refreshes as plain values, in the words of EC2 Auto Scaling.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

SUCCESSFUL = "Successful"
FORWARD = frozenset({"Pending", "InProgress", "Baking"})
"""Statuses of a refresh that brings its version."""
ACTIVE = FORWARD | {"Cancelling", "RollbackInProgress"}
"""Statuses in which a refresh keeps another one from starting (API reference, InstanceRefresh)."""
RETURNED = "RollbackSuccessful"

LEAVING = ("Terminat", "Detach")
"""What lifecycle states of machines begin with that leave their group."""
HEALTHY, IN_SERVICE = "Healthy", "InService"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of a launch template.

    Attributes:
        template: Such as ``lt-0123456789abcdef0``.
        number: Its number as text; also ``$Latest`` or ``$Default`` where somebody has set that.
    """

    template: str
    number: str

    def __str__(self) -> str:
        """Such as ``version 3 of lt-0123456789abcdef0``."""
        return f"version {self.number} of {self.template}"

    @property
    def numbered(self) -> bool:
        """Whether it names one version for good."""
        return self.number.isdecimal()

    def is_of(self, templates: Collection[str]) -> bool:
        """Whether it is a numbered version of one of these templates."""
        return self.numbered and self.template in templates


@dataclass(frozen=True, kw_only=True)
class Member:
    """A machine of a group.

    Attributes:
        id: Such as ``i-0123456789abcdef0``.
        version: What it was launched from; None for one that was attached by hand.
        lifecycle: Such as ``Pending`` or ``InService``.
        health: ``Healthy`` or ``Unhealthy``.
    """

    id: str
    version: Version | None
    lifecycle: str
    health: str

    @property
    def well(self) -> bool:
        """Whether Auto Scaling has it in service and calls it healthy."""
        return (self.lifecycle, self.health) == (IN_SERVICE, HEALTHY)


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of machines.

    Attributes:
        name: Its name.
        version: What it launches from now; None without a launch template.
        least: Its minimum size.
        most: Its maximum size.
        desired: Its desired capacity.
        members: Its machines, also those on their way.
        target_groups: ARNs of its target groups.
        health_check: ``EC2``, ``ELB``, or both with a comma.
    """

    name: str
    version: Version | None
    least: int
    most: int
    desired: int
    members: Sequence[Member]
    target_groups: Sequence[str] = ()
    health_check: str = "EC2"

    @property
    def staying(self) -> list[Member]:
        """Its machines but those that are on their way out."""
        return [member for member in self.members if not member.lifecycle.startswith(LEAVING)]

    def at(self, version: Version) -> list[Member]:
        """Its machines of one version, but those that are on their way out."""
        return [member for member in self.staying if member.version == version]


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """An instance refresh.

    Attributes:
        id: A UUID.
        status: The API's word.
        reason: Why it has that status, or what it waits for; empty if AWS does not say.
        percent: How much is done; it goes down again in a rollback.
        left: Machines that are still to be replaced.
        started: When, in UTC.
        ended: When, in UTC; None for one that is active.
        version: What it brings; None if it launches the group's own configuration anew.
        rollback: Why it was rolled back; empty if it was not.
    """

    id: str
    status: str
    reason: str
    percent: int
    left: int
    started: datetime
    ended: datetime | None
    version: Version | None
    rollback: str = ""

    @property
    def active(self) -> bool:
        """Whether it keeps another one from starting."""
        return self.status in ACTIVE

    @property
    def forward(self) -> bool:
        """Whether it brings its version."""
        return self.status in FORWARD


@dataclass(frozen=True, kw_only=True)
class TargetHealth:
    """What a target group says of a machine.

    Attributes:
        state: The API's word, such as ``healthy``, ``initial``, ``unhealthy`` or ``unused``.
        reason: Its reason in words; empty if healthy.
    """

    state: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A scaling activity.

    Attributes:
        status: Such as ``Successful`` or ``Failed``.
        text: What it did, and what came of it.
        started: When, in UTC.
    """

    status: str
    text: str
    started: datetime


def active(refreshes: Sequence[Refresh]) -> Refresh | None:
    """The refresh of a group that is under way; AWS allows one at a time."""
    return next((one for one in refreshes if one.active), None)


def content(data: Any) -> Any:
    """What a version of a launch template launches, to compare with another one's: no list of it has an order.

    A provider that has tags in a map sends them, and EC2 gives them back, in another order each time.

    Args:
        data: In EC2's words (ResponseLaunchTemplateData).
    """
    if isinstance(data, dict):
        return sorted((key, content(value)) for key, value in data.items())
    if isinstance(data, list):
        return sorted(map(content, data), key=repr)
    return data
