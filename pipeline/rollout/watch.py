"""A roll-out under way: what its machines do, line by line, and which of them failed."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.rollout.consoles import Consoles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from pipeline.aws.account import Account
    from pipeline.scaling import Activity, Group, Member, Refresh, TargetHealth, Version

POLL_SECONDS = 2
STATES_OF_FAILURE = frozenset({"unhealthy"})
"""States of a target that speak against its machine; ``initial``, ``draining`` and ``unused`` do not."""


@dataclass
class Watch:
    """Looks at a group until something is so.

    Attributes:
        account: The account.
        group: Name of the group.
        wanted: The version that its machines are to have.
        log: Prints a line.
        failed: Machines of that version that failed: health, and what the target group says, by id.
        consoles: What they have printed.
    """

    account: Account
    group: str
    wanted: Version
    log: Callable[[str], None]
    failed: dict[str, str] = field(default_factory=dict)
    consoles: Consoles = field(init=False)
    _said: str = ""
    _activity: datetime | None = None

    def __post_init__(self) -> None:
        self.consoles = Consoles(self.account.machines)

    def look(self) -> Group:
        """The group.

        Raises:
            PipelineError: It is gone.
        """
        found = self.account.groups.find(self.group)
        if found is None:
            raise PipelineError(
                f"the Auto Scaling group {self.group} does not exist",
                seen="no group of that name",
                allowed="the group that this stack has created",
                change="`pulumi refresh`, then `pulumi up`, creates it again",
            )
        return found

    def ended(self, refresh_id: str, until: Callable[[Refresh], bool] = lambda _: False) -> Refresh:
        """Wait until a refresh has ended, or the caller has seen enough of it.

        Args:
            refresh_id: The refresh.
            until: Whether to stop waiting.
        """
        while True:
            found = next(
                (one for one in self.account.groups.refreshes(self.group) if one.id == refresh_id), None
            )
            group, targets = self._machines()
            if found is not None:
                self._say(self._progress(found, group, targets))
                if not found.active or until(found):
                    return found
            time.sleep(POLL_SECONDS)

    def healthy(self, until: float) -> bool:
        """Wait until all machines that the group asks for are healthy.

        Args:
            until: When to give up, on the clock of `time.monotonic`.

        Returns:
            Whether they are.
        """
        while True:
            group, targets = self._machines()
            well = [one for one in group.staying if is_well(one, group, targets)]
            self._say(f"{len(well)} of {group.desired} machines are healthy{self._waiting(group, targets)}")
            self._say_failed_launches()
            if len(well) >= group.desired:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)

    def _machines(self) -> tuple[Group, Mapping[str, TargetHealth]]:
        """The group, and what its target groups say; machines that failed are noted."""
        group = self.look()
        targets = self.account.groups.targets(group.target_groups)
        self._note_failures(group, targets)
        return group, targets

    def _progress(self, refresh: Refresh, group: Group, targets: Mapping[str, TargetHealth]) -> str:
        new = group.at(self.wanted)
        well = sum(is_well(one, group, targets) for one in new)
        machines = f"{len(new)} new, {well} of them healthy; {len(group.staying) - len(new)} old"
        waits = f"; {refresh.reason}" if refresh.reason else ""
        return f"{refresh.status}, {refresh.percent} %; machines: {machines}{waits}"

    def _waiting(self, group: Group, targets: Mapping[str, TargetHealth]) -> str:
        for one in group.staying:
            if not is_well(one, group, targets):
                return f"; {one.id}: {_state(one, targets.get(one.id))}"
        return ""

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self.log(text)

    def _say_failed_launches(self) -> None:
        """A launch that EC2 refused, such as InsufficientInstanceCapacity: Auto Scaling tries again by itself."""
        found = self.failed_launch()
        if found is not None and found.started != self._activity:
            self._activity = found.started
            self.log(f"{found.text} Auto Scaling tries again")

    def failed_launch(self) -> Activity | None:
        """The group's newest scaling activity, if it failed."""
        newest = next(iter(self.account.groups.activities(self.group)), None)
        return newest if newest is not None and newest.status == "Failed" else None

    def _note_failures(self, group: Group, targets: Mapping[str, TargetHealth]) -> None:
        for one in group.members:
            target = targets.get(one.id)
            bad = one.health != "Healthy" or (target is not None and target.state in STATES_OF_FAILURE)
            if is_well(one, group, targets):
                self.failed.pop(one.id, None)  # it had been asked while it booted
            elif bad and one.version == self.wanted and one.id not in self.failed:
                self.failed[one.id] = _state(one, target)
                self.log(f"{one.id} is not healthy: {self.failed[one.id]}")
                self.consoles.read(one.id)


def is_well(member: Member, group: Group, targets: Mapping[str, TargetHealth]) -> bool:
    """Whether Auto Scaling and the target groups call a machine healthy."""
    if not member.well:
        return False
    target = targets.get(member.id)
    if not group.target_groups or (target is not None and target.state == "unused"):
        return True
    return target is not None and target.state == "healthy"


def _state(member: Member, target: TargetHealth | None) -> str:
    parts = [f"{member.lifecycle}, {member.health}"]
    if target is not None:
        parts.append(f"target {target.state}{f': {target.reason}' if target.reason else ''}")
    return "; ".join(parts)
