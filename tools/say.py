"""What the set-up prints while it works, and how it fails."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from tools.progress import BOARD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from tools.progress import Step

TAIL_LINES = 15


class SetupError(Exception):
    """The set-up cannot go on; the text says what to do."""


def say(text: str) -> None:
    """One line for the person who waits."""
    BOARD.line(f"set-up: {text}")


class _Running:
    """The commands that run now, so that all of them end when one part has failed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._commands: set[subprocess.Popen[str]] = set()
        self._ended = False

    def begin(self) -> None:
        """Let commands start."""
        self._ended = False

    def start(self, command: Callable[[], subprocess.Popen[str]]) -> subprocess.Popen[str]:
        """Start one.

        Raises:
            SetupError: Another part has failed.
        """
        with self._lock:
            if self._ended:
                raise SetupError("stopped, because another part of the set-up failed")
            running = command()
            self._commands.add(running)
            return running

    def finished(self, command: subprocess.Popen[str]) -> None:
        """One has ended by itself."""
        with self._lock:
            self._commands.discard(command)

    def end(self) -> None:
        """End all of them, and start none more."""
        with self._lock:
            self._ended = True
            for command in self._commands:
                command.terminate()


_running = _Running()


def run(
    what: str,
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    unit: str = "",
    total: int = 0,
    counted: str = "",
    totalled: str = "",
) -> list[str]:
    """Run a command; print what it is for and how long it took, and its output only if it fails.

    Args:
        what: What it is for.
        argv: The command.
        cwd: Its folder.
        env: Its environment; None for this process's.
        unit: What is counted while it runs.
        total: How many of these there are, if known.
        counted: Pattern of a line of its output that counts as one.
        totalled: Pattern of a line whose first group is how many come more.

    Returns:
        The last lines of its output.

    Raises:
        SetupError: It ended with another status than 0, or another part of the set-up failed.
    """
    say(f"{what} …")
    started = time.monotonic()
    with BOARD.step(what, unit) as step:
        step.total = total
        process = _running.start(
            lambda: subprocess.Popen(
                list(argv), cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace",
            )
        )  # fmt: skip
        try:
            with process:
                assert process.stdout is not None  # it is a pipe
                lines = _follow(process.stdout, step, counted, totalled)
        finally:
            _running.finished(process)
    if process.returncode != 0:
        tail = "\n  ".join(lines[-TAIL_LINES:])
        raise SetupError(f"{what}: `{' '.join(argv)}` ended with status {process.returncode}:\n  {tail}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")
    return lines


def _follow(output: Iterable[str], step: Step, counted: str, totalled: str) -> list[str]:
    lines: deque[str] = deque(maxlen=10_000)
    for line in output:
        lines.append(line.rstrip("\n"))
        if totalled and (found := re.search(totalled, line)):
            step.total += int(found[1])
        if counted and re.search(counted, line):
            step.done += 1
    return list(lines)


def side_by_side(*parts: Callable[[], object]) -> None:
    """Run parts at once. The first one that fails ends the others.

    Raises:
        SetupError: A part failed; of several, the one that failed first.
    """
    with ThreadPoolExecutor(len(parts)) as pool:
        futures = [pool.submit(part) for part in parts]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        except BaseException:
            _running.end()
            raise
        if failed := [error for future in done if (error := future.exception()) is not None]:
            _running.end()
            raise failed[0]


def ready(*parts: Callable[[], object]) -> int:
    """Set parts up, one after the other; returns the exit status: 0, or 1 after what went wrong."""
    _running.begin()
    try:
        for part in parts:
            part()
    except SetupError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            say("interrupted; what is done stays, and `make setup` goes on from there")
        return 130
    return 0
