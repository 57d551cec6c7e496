"""Machines that were well once and do not stay so."""

import os
import re
import subprocess
import time
from typing import Any, cast

import psutil
import pytest

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.validation import floor, uptime
from pipeline.validation.gate import Gate
from tests.unit.pipeline.test_plans import GIVEN

CLONE = Clone("i-1", "192.0.2.1")
WELL = """NRestarts=0
Id=nginx.service
ActiveState=active
SubState=running
WantedBy=multi-user.target
TriggeredBy=

NRestarts=0
Id=apt-daily.service
ActiveState=inactive
SubState=dead
TriggeredBy=apt-daily.timer

Id=snapd.service
ActiveState=active
SubState=running
WantedBy=multi-user.target
TriggeredBy=snapd.socket

Id=serial-getty@ttyS0.service
NRestarts=1
ActiveState=active
SubState=running
WantedBy=getty.target
Restart=always

Id=systemd-hostnamed.service
ActiveState=active
SubState=running
WantedBy=
"""
LOOP = "NRestarts=7\nId=app.service\nActiveState=activating\nSubState=auto-restart\n"
AGAIN = "NRestarts=1\nId=web.service\nActiveState=active\nSubState=running\n"
DEAD = "NRestarts=0\nId=db.service\nActiveState=failed\nSubState=failed\n"
MOUNT = "Id=data.mount\nActiveState=failed\nSubState=failed\n"
ENDED = WELL.replace("active\nSubState=running", "inactive\nSubState=dead", 1)
DENIED = "Host key verification failed."


class Way:
    """A way into a machine that answers with what the test says."""

    def __init__(
        self, *shown: str, boots: tuple[str, ...] = ("a\n", "", "a\n", "b\n"), refuses: str = ""
    ) -> None:
        self.shown = list(shown) or [WELL]
        self.boots = list(boots)
        self.refuses = refuses
        self.rebooted = False

    def run(self, address: str, command: Any, *, timeout: float) -> subprocess.CompletedProcess[str]:
        if list(command) == ["sudo", "systemctl", "reboot"]:
            if self.refuses:
                return subprocess.CompletedProcess([], 1, "", self.refuses)
            self.rebooted = True
            raise subprocess.TimeoutExpired(command, timeout)
        if list(command) == uptime.BOOT_ID:
            text = self.boots.pop(0) if len(self.boots) > 1 else self.boots[0]
            return subprocess.CompletedProcess([], 0 if text else 255, text, "" if text else DENIED)
        return subprocess.CompletedProcess(
            [], 0, self.shown.pop(0) if len(self.shown) > 1 else self.shown[0], ""
        )

    def forget(self, address: str) -> None:
        assert self.rebooted

    def wait_for_boot(self, clone: Clone, deadline: Deadline, alive: Any) -> str:
        return "running"


class Seen:
    """The machine from outside."""

    started = frozenset[str]()

    def __init__(self, state: str = "running", printed: str = "") -> None:
        self._state = state
        self._printed = [f"Reached target multi-user\n{printed}", "Reached target multi-user\n"]

    def state(self, clone: Clone) -> str:
        return self._state

    def console(self, clone: Clone, lines: int | None = None) -> str:
        return self._printed.pop() if len(self._printed) > 1 else self._printed[0]


def reboot(way: Way, seen: Seen | None = None, seconds: float = 10) -> None:
    uptime.reboot(
        CLONE, access=cast("Any", way), clones=cast("Any", seen or Seen()), deadline=Deadline(seconds)
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uptime, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(uptime, "STATE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (LOOP, "waits to be started again, after 7 restarts"),
        (AGAIN, "was started again 1 times"),
        (DEAD, "failed"),
        (MOUNT, "failed"),
    ],
)
def test_a_unit_that_is_not_well(text: str, seen: str) -> None:
    (found,) = uptime.check(CLONE, uptime.parse(f"{WELL}\n{text}"), frozenset())
    assert (found.outcome, found.seen) == (FAILED, seen)


def test_services_that_are_well() -> None:
    units = uptime.parse(WELL)
    (found,) = uptime.check(CLONE, units, uptime.running(units))
    assert (found.check, found.outcome) == ("stays-up::services", PASSED)


def test_a_service_that_ends_well_has_ended_all_the_same() -> None:
    (found,) = uptime.check(CLONE, uptime.parse(ENDED), uptime.running(uptime.parse(WELL)))
    assert (found.check, found.seen) == ("stays-up::nginx.service", "ran before, and has ended")
    (gone,) = uptime.check(CLONE, {}, frozenset({"app.service"}))
    assert gone.check == "stays-up::app.service"


def test_a_job_is_no_daemon() -> None:
    """A plain service that ends well has perhaps done what it is for, such as to start another one later."""
    units = uptime.parse(
        "Id=job.service\nType=simple\nRestart=no\n\nId=web.service\nType=notify\n\n"
        "Id=app.service\nType=simple\nRestart=on-failure\n"
    )
    assert uptime.daemons(units, frozenset(units)) == {"web.service", "app.service"}


def test_what_has_to_run_after_a_reboot() -> None:
    units = uptime.parse(
        "Id=job.service\nType=simple\nRestart=no\nExecMainStartTimestampMonotonic=7\n\n"
        "Id=first.service\nType=simple\nRestart=no\nExecMainStartTimestampMonotonic=0\n\n"
        "Id=web.service\nType=notify\nExecMainStartTimestampMonotonic=7\n"
    )
    ran = frozenset({*units, "gone.service"})
    assert uptime.due(units, ran) == {"first.service", "web.service", "gone.service"}


def test_a_machine_that_says_nothing_is_not_well() -> None:
    with pytest.raises(PipelineError, match="could not read the state of the services on"):
        uptime.look(CLONE, access=cast("Any", Way("")))


def test_a_reboot_is_over_with_another_boot(capsys: pytest.CaptureFixture[str]) -> None:
    way = Way()
    reboot(way)
    assert re.search(r"its second boot finished after [0-9.]+ s: running", capsys.readouterr().err)
    assert way.boots == ["b\n"]


@pytest.mark.parametrize(
    ("way", "seen", "why"),
    [
        (Way(boots=("a\n", "")), Seen(), DENIED),
        (Way(boots=("a\n",)), Seen(), "the boot before goes on"),
        (Way(boots=("a\n", "")), Seen("stopped"), "is stopped, though nobody asked it to stop"),
        (
            Way(boots=("a\n", "")),
            Seen(printed="Failed to start ssh.service - OpenBSD Secure Shell server"),
            "its sshd does not start",
        ),
        (Way(refuses="SshSession denied"), Seen(), "SshSession denied"),
    ],
    ids=["no-ssh", "no-shutdown", "off", "no-sshd", "refused"],
)
def test_a_machine_that_does_not_come_back(way: Way, seen: Seen, why: str) -> None:
    with pytest.raises(PipelineError, match=r"reboot") as caught:
        reboot(way, seen, 0.1)
    assert str(CLONE) in caught.value.what
    assert why in str(caught.value)


def test_a_machine_that_is_away_already_has_not_rebooted() -> None:
    with pytest.raises(PipelineError, match="does not answer before its reboot"):
        reboot(Way(boots=("", "b\n")))


def gate(
    way: Way, *, soak: int = 1, reboot: bool = True, seconds: float = 10, smoke_test: str | None = None
) -> Gate:
    given = {**GIVEN[plans.Validate], "allowed_skips": {}, "soak_seconds": soak, "reboot": reboot}
    return Gate(
        plan=plans.Validate(**{**given, "smoke_test": smoke_test}), access=cast("Any", way),
        clones=cast("Any", Seen()), deadline=Deadline(seconds),
        _ran={CLONE.address: uptime.running(uptime.parse(WELL))},
    )  # fmt: skip


def good(clone: Clone, **options: Any) -> list[CheckResult]:
    assert options.get("patient") is False, "a second look takes the machine as it is"
    return [CheckResult(check="floor::health", address=clone.address, outcome=PASSED, seconds=0)]


def test_one_that_is_not_well_is_not_rebooted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "check", good)
    way = Way(f"{WELL}\n{LOOP}")
    found: list[CheckResult] = []
    gate(way).later([CLONE], found)
    assert [(one.check, one.outcome) for one in found] == [
        ("after-soak::floor::health", PASSED),
        ("after-soak::stays-up::app.service", FAILED),
    ]
    assert not way.rebooted


def test_the_checks_run_once_more_after_a_reboot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "check", good)
    bad = CheckResult(check="test_web.py::test_health", address=CLONE.address, outcome=FAILED, seconds=0)
    monkeypatch.setattr(Gate, "_checks", lambda self, clone: [bad])
    found: list[CheckResult] = []
    gate(Way(WELL, WELL, ENDED)).later([CLONE], found)
    assert [one.check for one in found if one.outcome == FAILED] == [
        "after-reboot::test_web.py::test_health",
        "after-reboot::stays-up::nginx.service",
    ]
    way = Way()
    gate(way, reboot=False).later([CLONE], found)
    assert not way.rebooted


def test_without_either_nothing_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[CheckResult] = []
    gate(Way(f"{WELL}\n{LOOP}"), soak=0, reboot=False).later([CLONE], found)
    assert found == []


def test_a_look_that_has_no_time_left_is_not_left_out() -> None:
    with pytest.raises(PipelineError, match="no time left"):
        gate(Way(), soak=30).later([CLONE], [])


def smoke(command: str, seconds: float) -> CheckResult:
    return gate(Way(), seconds=seconds, smoke_test=command)._smoke([CLONE])


def test_a_smoke_test_that_hangs_ends_with_all_that_it_has_started() -> None:
    # No other run's, and a kernel that is busy ends what was killed a moment later.
    line = ["sleep", f"4700.{os.getpid()}"]
    found = smoke(f"echo begun; {' '.join(line)} & {' '.join(line)}; true", 5)
    assert (found.outcome, found.seen) == (FAILED, "did not end within 5 s\nbegun")
    left = [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == line]
    assert psutil.wait_procs(left, timeout=5)[1] == []


def test_a_smoke_test_knows_the_machines() -> None:
    assert smoke('test "$GOLDEN_IMAGE_ADDRESSES" = 192.0.2.1 && sleep 4800 &', 300).outcome == PASSED
    found = smoke("echo one; echo two >&2; exit 3", 300)
    assert (found.outcome, found.seen) == (FAILED, "exit status 3\none\ntwo")
