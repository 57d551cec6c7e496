"""Lets groups and refreshes go on: by itself while time goes by, or step by step where a test moves it."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from lab import settings as lab_settings
from lab.autoscaling import alarms, api, gaps, groups, launching, probes, targets
from lab.autoscaling.clock import Clock
from lab.autoscaling.members import PENDING, TERMINATING, book, members
from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from moto.autoscaling.models import FakeAutoScalingGroup

    from lab.autoscaling.refreshes import Refresh

log = logging.getLogger("lab")

POLL_SECONDS = 0.25
STEPS = 120
"""Into how many steps a long move of the time is cut at the most."""

SETTLE_SECONDS = 60.0
"""How long, of the host's time, launches and terminations may take before the lab's time is moved on."""


class Plane(launching.Plane, Protocol):
    """The control plane, as the engine uses it."""

    def save(self) -> None:
        """Keep the account as it is now."""

    def grow_older(self, seconds: float) -> None:
        """Let what AWS has written down be so much older."""


class Engine:
    """Looks at all groups, again and again.

    Args:
        plane: The control plane.
        folder: Where the clock is kept.
    """

    def __init__(self, plane: Plane, folder: Path) -> None:
        self._plane = plane
        self.clock = Clock(folder / "clock.json")
        gaps.fill()
        targets.fill()
        alarms.fill()
        api.fill(self.clock)
        self._prober = probes.Prober(lambda: plane.lock, self.clock.now, self.wake)
        self._turn = threading.Lock()
        self._woken = threading.Event()
        self._ended = False
        self._seen: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._run, name="autoscaling", daemon=True)
        self._thread.start()

    def resume(self) -> None:
        """Take up what an earlier lab was at: the time that it was down does not count against a refresh."""
        with self._plane.lock:
            for group in self._groups():
                for refresh in book(group).refreshes:
                    refresh.progress_at = self.clock.now()
        self.wake()

    def wake(self) -> None:
        """Something has changed."""
        self._woken.set()

    def finish(self) -> None:
        """Do nothing more."""
        self._ended = True
        self.wake()
        self._thread.join()
        self._prober.finish()
        self.clock.keep()

    def set_time(self, *, rate: float | None = None, advance: float = 0.0) -> dict[str, float]:
        """Change how fast time goes by, and move it; returns what it is then, in seconds since the epoch.

        Args:
            rate: Seconds a second; 0 stops it, also between the steps of `advance`.
            advance: By how many seconds; what is due by then has been done at the return.

        Raises:
            LabError: Time does not go back.
        """
        if advance < 0 or (rate is not None and rate < 0):
            raise LabError(
                f"time cannot go by {advance} at a rate of {rate}", hint="both are 0 or greater, in seconds"
            )
        if rate is not None:
            self.clock.run(rate)
        step = math.ceil(max(1.0, advance / STEPS))
        left = advance
        while True:
            self._settle()
            if left <= 0:
                break
            self._move(min(step, left))
            left -= step
        self.clock.keep()
        self._plane.save()
        self.wake()
        return self.time()

    def _move(self, seconds: float) -> None:
        with self._plane.lock:
            self.clock.move(seconds)
            self._plane.grow_older(seconds)

    def time(self) -> dict[str, float]:
        """What it is, in seconds since the epoch, and its rate."""
        return {"now": self.clock.now(), "rate": self.clock.rate}

    def _run(self) -> None:
        while not self._ended:
            busy = bool(self._groups() or targets.backend().target_groups)
            self._woken.wait(POLL_SECONDS if busy else None)
            self._woken.clear()
            if self._ended or self.clock.rate == 0:
                continue
            try:
                self._look(to_the_end=False)
            except Exception:
                log.exception("a group of Auto Scaling could not go on")

    def _settle(self) -> None:
        """Look until nothing changes any more and no machine is on its way."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            changed = self._look(to_the_end=True)
            moving = self._is_moving()
            if (not changed and not moving) or time.monotonic() > deadline:
                return
            if moving and not changed:
                time.sleep(0.05)

    def _is_moving(self) -> bool:
        with self._plane.lock:
            return any(
                one.lifecycle_state in {PENDING, TERMINATING}
                for group in self._groups()
                for one in members(group)
            )

    def _look(self, *, to_the_end: bool) -> bool:
        """Look once at everything; whether something has changed."""
        with self._turn:
            before = self._seen
            self._prober.run(to_the_end=to_the_end)
            with self._plane.lock:
                names = [group.name for group in self._groups()]
            for name in names:
                self._go_on(name)
            with self._plane.lock:
                self._seen = {group.name: _summary(group) for group in self._groups()}
            changed = before != self._seen
            if changed:
                self._plane.save()
            return changed

    def _go_on(self, name: str) -> None:
        now = self.clock.now()
        with self._plane.lock:
            group = launching.find(name)
            if group is None:
                return
            launching.adopt(group, now)
            wanted = groups.orders(group, now, _alarm)
            gaps.forget_ended(group, self._backend())
        launching.end(self._plane, name, wanted, now)
        launching.launch(self._plane, name, wanted, now)

    def _groups(self) -> list[FakeAutoScalingGroup]:
        return list(self._backend().autoscaling_groups.values())

    @staticmethod
    def _backend() -> Any:
        return autoscaling_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION]


def _alarm(refresh: Refresh) -> str | None:
    """An alarm of a refresh that is in state ALARM."""
    known = cloudwatch_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION].alarms
    names: Iterator[str] = (
        name for name in refresh.preferences.alarms if name in known and known[name].state_value == "ALARM"
    )
    return next(names, None)


def _summary(group: FakeAutoScalingGroup) -> Any:
    """What of a group is worth a new copy of the account."""
    states = [(one.instance_id, one.lifecycle_state, one.health_status) for one in group.instance_states]
    return (
        states,
        [repr(refresh) for refresh in book(group).refreshes],
        [one.status for one in book(group).activities],
    )
