"""Machines that were well once and do not stay so."""

import subprocess
import time
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.validation import floor, uptime
from pipeline.validation.clones import Clone
from pipeline.validation.deadline import Deadline
from pipeline.validation.gate import Gate
from pipeline.validation.results import FAILED, PASSED, CheckResult

CLONE = Clone("i-1", "192.0.2.1")
WELL = """NRestarts=0
Id=nginx.service
ActiveState=active
SubState=running

NRestarts=0
Id=apt-daily.service
ActiveState=inactive
SubState=dead
"""
LOOP = "NRestarts=7\nId=app.service\nActiveState=activating\nSubState=auto-restart\n"
AGAIN = "NRestarts=1\nId=web.service\nActiveState=active\nSubState=running\n"
DEAD = "NRestarts=0\nId=db.service\nActiveState=failed\nSubState=failed\n"


class Way:
    """A way into a machine that answers with what the test says."""

    def __init__(self, shown: str = WELL, boots: tuple[str, ...] = ("a\n", "", "a\n", "b\n")) -> None:
        self.shown = shown
        self.boots = list(boots)
        self.rebooted = False

    def run(self, address: str, command: Any, *, timeout: float) -> subprocess.CompletedProcess[str]:
        if list(command) == ["sudo", "systemctl", "reboot"]:
            self.rebooted = True
            raise subprocess.TimeoutExpired(command, timeout)
        if list(command) == uptime.BOOT_ID:
            text = self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]
            return subprocess.CompletedProcess([], 0 if text else 255, text, "")
        return subprocess.CompletedProcess([], 0, self.shown, "")

    def forget(self, address: str) -> None:
        assert self.rebooted

    def wait_for_boot(self, clone: Clone, deadline: Deadline, alive: Any) -> str:
        return "running"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uptime, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (LOOP, "waits to be started again, after 7 restarts"),
        (AGAIN, "was started again 1 times"),
        (DEAD, "failed"),
    ],
)
def test_a_service_that_does_not_run_on(text: str, seen: str) -> None:
    (found,) = uptime.check(CLONE, access=cast("Any", Way(f"{WELL}\n{text}")))
    assert (found.outcome, found.seen) == (FAILED, seen)


def test_services_that_are_well() -> None:
    (found,) = uptime.check(CLONE, access=cast("Any", Way()))
    assert (found.check, found.outcome) == ("stays-up::services", PASSED)


def test_a_machine_that_says_nothing_is_not_well() -> None:
    with pytest.raises(PipelineError, match="does not say how its services are"):
        uptime.check(CLONE, access=cast("Any", Way("")))


def test_a_reboot_is_over_with_another_boot() -> None:
    way = Way()
    uptime.reboot(CLONE, access=cast("Any", way), deadline=Deadline(10))
    assert way.boots == ["b\n"]


@pytest.mark.parametrize("boots", [("a\n", ""), ("a\n", "a\n")])
def test_a_machine_that_does_not_come_back(boots: tuple[str, ...]) -> None:
    with pytest.raises(PipelineError, match="did not come back after a reboot"):
        uptime.reboot(CLONE, access=cast("Any", Way(boots=boots)), deadline=Deadline(0.1))


def gate(way: Way, *, soak: int = 1, reboot: bool = True, seconds: float = 10) -> Gate:
    return Gate(
        role="web", image_id="ami-1", public_key="", smoke_test=None, allowed_skips={}, soak_seconds=soak,
        reboot=reboot, access=cast("Any", way), deadline=Deadline(seconds),
    )  # fmt: skip


def good(clone: Clone, **options: Any) -> list[CheckResult]:
    assert options.get("patient") is False, "a second look takes the machine as it is"
    return [CheckResult(check="floor::health", address=clone.address, outcome=PASSED, seconds=0)]


def test_one_that_is_not_well_is_not_rebooted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "check", good)
    way = Way(LOOP)
    found: list[CheckResult] = []
    gate(way).later([CLONE], found)
    assert [(one.check, one.outcome) for one in found] == [
        ("after-soak::floor::health", PASSED),
        ("stays-up::app.service", FAILED),
    ]
    assert not way.rebooted


def test_the_checks_run_once_more_after_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "check", good)
    bad = CheckResult(check="test_web.py::test_health", address=CLONE.address, outcome=FAILED, seconds=0)
    monkeypatch.setattr(Gate, "_checks", lambda self, clone: [bad])
    found: list[CheckResult] = []
    gate(Way()).later([CLONE], found)
    assert [one.check for one in found if one.outcome == FAILED] == ["after-reboot::test_web.py::test_health"]
    way = Way()
    gate(way, reboot=False).later([CLONE], found)
    assert not way.rebooted


def test_without_either_nothing_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[CheckResult] = []
    gate(Way(LOOP), soak=0, reboot=False).later([CLONE], found)
    assert found == []


def test_a_look_that_has_no_time_left_is_not_left_out() -> None:
    with pytest.raises(PipelineError, match="no time left"):
        gate(Way(), soak=30).later([CLONE], [])
