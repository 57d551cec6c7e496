"""The gate's own steps: the team's command, root on the machine, and time for a second look."""

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.validation import floor, gate, uptime
from tests.unit.pipeline.test_plans import GIVEN

MACHINES = [Clone("i-1", "192.0.2.1"), Clone("i-2", "192.0.2.2")]


class Way:
    """A way in on which a command ends as the test says."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def read(self, address: str, command: Any, *, stdin: bytes, timeout: float) -> Any:
        assert command == ["sudo", "sh"]
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class OverOnceStarted(Deadline):
    """A deadline that comes when a command has written a file, however long it takes to get there."""

    def __init__(self, file: Path) -> None:
        super().__init__(60)
        self._file = file

    def remaining(self) -> float:
        while not (self._file.exists() and self._file.read_text()) and self.elapsed() < self.seconds:
            time.sleep(0.01)
        return 0.1


def made(*, way: Any = None, deadline: Deadline | None = None, **changes: Any) -> gate.Gate:
    plan = plans.Validate(
        **{**GIVEN[plans.Validate], "allowed_skips": {}, "health_wait_seconds": 5, **changes}
    )
    return gate.Gate(
        plan=plan, access=cast("Any", way), clones=cast("Any", None), deadline=deadline or Deadline(300)
    )


def smoke(command: str, deadline: Deadline | None = None) -> CheckResult:
    return made(smoke_test=command, deadline=deadline)._smoke(MACHINES)


def test_the_teams_own_command_knows_the_machines_and_the_image(capsys: pytest.CaptureFixture[str]) -> None:
    result = smoke(
        'test "$GOLDEN_IMAGE_ADDRESSES $GOLDEN_IMAGE_ROLE $GOLDEN_IMAGE_ID" = "192.0.2.1 192.0.2.2 web ami-1"'
    )
    assert (result.check, result.outcome, result.seen) == ("smoke-test", PASSED, "")
    assert "all machines: smoke-test" in capsys.readouterr().err


def test_a_command_that_fails_shows_the_end_of_what_it_printed() -> None:
    result = smoke("seq 1 100; echo broken >&2; exit 7")
    assert result.outcome == FAILED
    lines = result.seen.splitlines()
    assert lines[0] == "exit status 7"
    assert lines[1:] == [*map(str, range(92, 101)), "broken"]
    assert result.wanted.startswith("exit status 0 of: seq 1 100")


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    result = smoke(f"sleep 900 & echo $! > {file}; wait", OverOnceStarted(file))
    assert result.seen.splitlines()[0] == "did not end within 60 s"
    pid = int(file.read_text())
    begun = time.monotonic()
    while runs(pid):
        assert time.monotonic() - begun < 60, "what the command had started still runs"
        time.sleep(0.01)


def test_what_a_command_leaves_running_keeps_nobody_waiting() -> None:
    begun = time.monotonic()
    assert smoke("sleep 900 & echo started").outcome == PASSED
    assert time.monotonic() - begun < 60


def test_a_user_who_may_not_become_root() -> None:
    refused = subprocess.CompletedProcess([], 1, b"", b"sudo: a password is required\n")
    with pytest.raises(PipelineError, match="could not read it") as caught:
        made(way=Way(refused))._as_root(MACHINES[0], b"id", "read it")
    assert caught.value.seen == "sudo: a password is required"
    assert "golden-image:validation.sshUser" in str(caught.value)


def test_a_machine_that_does_not_answer() -> None:
    silent = Way(subprocess.TimeoutExpired([], 1))
    with pytest.raises(PipelineError, match="could not read it") as caught:
        made(way=silent)._as_root(MACHINES[0], b"id", "read it")
    assert caught.value.seen == "no answer within 300 s"


def test_a_second_look_needs_its_time() -> None:
    found: list[CheckResult] = []
    with pytest.raises(PipelineError, match="no time left to see whether the machines stay well"):
        made(soak_seconds=60, deadline=Deadline(5)).later(MACHINES, found)
    assert found == []


def test_one_that_is_not_well_any_more_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(gate, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(uptime, "look", lambda clone, **_: {})
    monkeypatch.setattr(uptime, "running", lambda units: frozenset())
    monkeypatch.setattr(uptime, "check", lambda clone, units, ran: [])

    def look(clone: Clone, **options: Any) -> list[CheckResult]:
        assert options["patient"] is False, "what was well once has to be well at once"
        outcome = FAILED if clone.id == "i-2" else PASSED
        return [CheckResult(check="floor::ssh", address=clone.address, outcome=outcome, seconds=0)]

    monkeypatch.setattr(floor, "check", look)
    one = made(soak_seconds=30, reboot=True)
    one._ran.update({clone.address: frozenset() for clone in MACHINES})
    found: list[CheckResult] = []
    # It is not rebooted: that would need the machines' clones, which are not there.
    one.later(MACHINES, found)
    assert slept == [30, 30]
    assert [(result.check, result.outcome) for result in found] == [
        ("after-soak::floor::ssh", PASSED),
        ("after-soak::floor::ssh", FAILED),
    ]
