"""Stands between a step and Packer, so that an interrupted bake cleans up after itself.

When `pulumi up` is interrupted, the command plugin kills the step with SIGKILL, with no signal before it
(pulumi-command 1.2.1). When `pulumi` itself is killed, the plugin and the step live on. So the step starts
this process in a session of its own; it notices both deaths, sends Packer one SIGINT, and waits until Packer
has removed its builder, key pair and security group.

Usage: python -m pipeline.baking.supervisor OPTIONS -- COMMAND…   (see `Options`)

stdin is the lifeline: the step holds its other end, and the end of file means the step's death. stdout is
what the command prints. The exit status is the command's; `INTERRUPTED` if it was asked to stop.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipeline.baking import leftovers
from pipeline.processes import ENDING, dies_with_parent, hear

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED = 130
"""Exit status after an interruption, as a shell reports SIGINT."""

TIMED_OUT = 124
"""Exit status after the limit, as timeout(1) reports it."""

POLL_SECONDS = 0.2

SCRATCH = "bake-"
"""How the folders for temporary files begin; the process id follows."""


@dataclass(frozen=True)
class Options:
    """How to supervise.

    Attributes:
        log: File that gets all that the command prints.
        watch: Processes whose end means an interruption: process id and start time (seconds since 1970).
        grace_seconds: How long the command may take to clean up before its process group is killed.
        limit_seconds: How long the command may run before it is interrupted; None for ever.
        run: Region and tag BakeId of what the command makes in AWS. Where the step is gone, this process removes what
            the command has left of it.
    """

    log: str
    watch: tuple[tuple[int, float], ...]
    grace_seconds: float
    limit_seconds: float | None = None
    run: tuple[str, str] | None = None


def command_line(options: Options, command: Sequence[str]) -> list[str]:
    """The command line that runs `command` under this supervisor."""
    return [sys.executable, "-m", "pipeline.baking.supervisor", json.dumps(asdict(options)), "--", *command]


def engine_processes() -> tuple[tuple[int, float], ...]:
    """The `pulumi` processes above this one, to be watched; empty when a person runs the step."""
    found = []
    with contextlib.suppress(psutil.Error):
        for parent in psutil.Process().parents():
            with contextlib.suppress(psutil.Error):
                if parent.name() == "pulumi":
                    found.append((parent.pid, parent.create_time()))
    return tuple(found)


def _is_alive(pid: int, created: float) -> bool:
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _prepare_command() -> None:
    """In the child: hear signals again, and have the kernel signal it should the supervisor be killed.

    The kernel signals this one process only, and Packer's wrapper hands SIGTERM on, but not SIGINT (Packer, main.go).
    """
    hear(*ENDING)
    dies_with_parent(signal.SIGTERM)


class Supervision:
    """One command under supervision.

    The command prints into the log file itself, and this process reads it from there: with a pipe, the
    command would die of SIGPIPE in the middle of its clean-up should the supervisor be killed.
    """

    def __init__(self, options: Options, command: Sequence[str], *, scratch: str) -> None:
        self._options = options
        self._relay = True
        self._interrupted_at: float | None = None
        self._started_at = time.monotonic()
        self._status = INTERRUPTED
        self._step_is_gone = False
        self._log = Path(options.log).open("ab", buffering=0)  # noqa: SIM115 - closed in run()
        self._reader = Path(options.log).open("rb", buffering=0)  # noqa: SIM115
        self._reader.seek(0, os.SEEK_END)
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": scratch},
            start_new_session=True,
            preexec_fn=_prepare_command,  # noqa: PLW1509 - this process has one thread
        )

    def run(self) -> int:
        """Relay output until the command has ended; returns the exit status."""
        lifeline = [0]
        while self._process.poll() is None:
            if select.select(lifeline, [], [], POLL_SECONDS)[0] and not os.read(0, 1):
                lifeline = []
                self._step_is_gone = True
                self._interrupt("the step is gone")
            self._look_around()
            self._pass_on()
        if self._step_is_gone and self._options.run is not None:
            region, bake_id = self._options.run
            for problem in leftovers.remove(region=region, bake_id=bake_id, say=self._note):
                self._note(f"still there: {problem}")
        self._pass_on()
        self._log.close()
        self._reader.close()
        return self._process.wait() if self._interrupted_at is None else self._status

    def _look_around(self) -> None:
        if self._interrupted_at is None:
            if not all(_is_alive(pid, created) for pid, created in self._options.watch):
                self._interrupt("pulumi is gone")
            elif self._is_late():
                self._status = TIMED_OUT
                self._interrupt("it has reached its time limit")
        elif time.monotonic() - self._interrupted_at > self._options.grace_seconds:
            self._note(f"did not end within {self._options.grace_seconds:.0f} s of its SIGINT; killing it")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _is_late(self) -> bool:
        limit = self._options.limit_seconds
        return limit is not None and time.monotonic() - self._started_at > limit

    def _interrupt(self, why: str) -> None:
        """One SIGINT, and only one: at the second Packer would leave without cleaning up."""
        if self._interrupted_at is None:
            self._interrupted_at = time.monotonic()
            self._note(f"interrupted ({why}): the command cleans up")
            with contextlib.suppress(ProcessLookupError):
                # To its whole group, as a terminal does: `packer` is a wrapper that leaves SIGINT to its child.
                os.killpg(self._process.pid, signal.SIGINT)

    def _note(self, text: str) -> None:
        self._log.write(f"==> supervisor: {text}\n".encode())

    def _pass_on(self) -> None:
        """Hand what is new in the log to the step, as long as there is one."""
        data = self._reader.read()
        if data and self._relay:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(1, view) :]
            except OSError:
                self._relay = False  # the step is gone; the log has everything


def remove_abandoned(folder: Path) -> None:
    """Remove what supervisors left that were killed: folders of ours, named after a process that is gone."""
    for path in folder.glob(f"{SCRATCH}*-*"):
        pid = path.name.removeprefix(SCRATCH).partition("-")[0]
        with contextlib.suppress(FileNotFoundError):
            if pid.isdecimal() and not psutil.pid_exists(int(pid)) and path.stat().st_uid == os.geteuid():
                shutil.rmtree(path)


def main(arguments: Sequence[str]) -> int:
    """Run a command under supervision; returns the exit status."""
    # Ctrl-C in a terminal is for the step, which lets go of the lifeline.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    raw = json.loads(arguments[0])
    options = Options(
        log=raw["log"],
        watch=tuple((pid, created) for pid, created in raw["watch"]),
        grace_seconds=raw["grace_seconds"],
        limit_seconds=raw["limit_seconds"],
        run=tuple(raw["run"]) if raw["run"] else None,
    )
    remove_abandoned(Path(tempfile.gettempdir()))
    # The ansible plugin leaves the builder's private key in the folder for temporary files (1.0.3, ansible-key*). The
    # name is short, because plugins put Unix sockets there.
    with tempfile.TemporaryDirectory(prefix=f"{SCRATCH}{os.getpid()}-") as scratch:
        return Supervision(options, arguments[2:], scratch=scratch).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
