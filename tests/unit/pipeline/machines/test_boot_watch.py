"""Whether waiting still makes sense: judged by the present boot's console alone."""

from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.machines import boot_watch
from pipeline.machines.boot_watch import BootWatch
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline

CLONE = Clone("i-1", "192.0.2.1")
BOOTED = "[  OK  ] Reached target multi-user.target - Multi-User System.\n"


class Machines:
    """One machine, running, with a console that the test writes."""

    def __init__(self, console: str, *, started: bool) -> None:
        self.text = console
        self.started = frozenset([CLONE.id] if started else [])

    def state(self, clone: Clone) -> str:
        return "running"

    def console(self, clone: Clone, lines: int | None = None) -> str:
        return self.text


class Clock(Deadline):
    """A clock that the test sets."""

    now = 0.0

    def elapsed(self) -> float:
        return self.now


def looked(machines: Machines, *seconds: float, then: str = "") -> None:
    clock = Clock(600)
    waiting = BootWatch(CLONE, cast("Any", machines), clock)
    for number, now in enumerate(seconds):
        clock.now = now
        if number:
            machines.text += then
        waiting.check()


def test_the_console_of_the_boot_before_says_nothing() -> None:
    looked(Machines(BOOTED, started=True), 3, 13, 20, 55)


def test_a_present_boot_that_ended_without_an_answer() -> None:
    with pytest.raises(PipelineError, match="though its boot has ended"):
        looked(Machines("", started=False), 3, 5, 16, then=BOOTED)
    with pytest.raises(PipelineError, match="though its boot has ended"):
        looked(Machines(BOOTED, started=True), 3, 40, 51, then=BOOTED)


def test_sshd_that_failed_in_the_boot_before() -> None:
    failed = "[FAILED] Failed to start ssh.service - OpenBSD Secure Shell server.\n"
    looked(Machines(failed, started=True), 3, 30)
    with pytest.raises(PipelineError, match="its sshd does not start"):
        looked(Machines(failed, started=False), 3)


def test_a_console_that_begins_anew_is_believed_after_a_minute() -> None:
    class Anew(Machines):
        def console(self, clone: Clone, lines: int | None = None) -> str:
            return self.text if not self.text.count("new") else BOOTED

    looked(Anew("old\n", started=True), 3, 20, 40, then="new")
    with pytest.raises(PipelineError, match="though its boot has ended"):
        looked(
            Anew("old\n", started=True),
            3,
            boot_watch.SILENT_SECONDS + 5,
            boot_watch.SILENT_SECONDS + 20,
            then="new",
        )
