"""How far the slow steps of the set-up are: a bar on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW_SECONDS = 5.0
"""A step that takes longer shows how far it is."""

EVERY_SECONDS = 10.0
"""How often a log gets a line of the slow steps."""

REDRAW_SECONDS = 0.5
BAR_WIDTH = 20
_ERASE = "\r\x1b[K"


@dataclass
class Step:
    """One step that is under way.

    Attributes:
        what: What it does.
        unit: What is counted, such as ``packages``; empty if nothing is.
        total: How many there are; 0 if that is not known.
        done: How many are done.
        started: `time.monotonic` at its start.
    """

    what: str
    unit: str = ""
    total: int = 0
    done: int = 0
    started: float = field(default_factory=time.monotonic)

    def text(self, now: float) -> str:
        """What a log shows of it."""
        return f"{self.what} ({', '.join([*self._count(), f'{now - self.started:.0f} s'])})"

    def bar(self, now: float) -> str:
        """What a terminal shows of it."""
        if not self.total:
            return self.text(now)
        filled = min(BAR_WIDTH, BAR_WIDTH * self.done // self.total)
        return (
            f"{self.what} [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {self.done}/{self.total} {self.unit}"
        )

    def _count(self) -> list[str]:
        if not self.unit or not (self.done or self.total):
            return []
        return [f"{self.done} of {self.total} {self.unit}" if self.total else f"{self.done} {self.unit}"]


class Board:
    """The steps that are under way, shown while any of them is.

    Args:
        stream: Where lines go; None for standard error.
        clock: Seconds, as `time.monotonic`.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._steps: list[Step] = []
        self._shown = clock()
        self._drawn = False

    @property
    def stream(self) -> TextIO:
        """Where lines go."""
        return self._stream or sys.stderr

    def line(self, text: str) -> None:
        """Print a line; a bar makes room for it."""
        with self._lock:
            self._write(f"{text}\n")

    @contextmanager
    def step(self, what: str, unit: str = "") -> Iterator[Step]:
        """Show a step for as long as it is under way."""
        step = Step(what, unit, started=self._clock())
        ended = threading.Event()
        with self._lock:
            self._steps.append(step)
        ticker = threading.Thread(target=self._tick, args=(ended,), daemon=True)
        ticker.start()
        try:
            yield step
        finally:
            ended.set()
            ticker.join()
            with self._lock:
                self._steps.remove(step)
                self._write("")

    def _tick(self, ended: threading.Event) -> None:
        while not ended.wait(REDRAW_SECONDS):
            self.show()

    def show(self) -> None:
        """Show the slow steps, if it is time."""
        now = self._clock()
        with self._lock:
            slow = [step for step in self._steps if now - step.started >= SLOW_SECONDS]
            if not slow:
                return
            if self.stream.isatty():
                width = shutil.get_terminal_size().columns - 1
                self._write(" · ".join(step.bar(now) for step in slow)[:width])
                self._drawn = True
            elif now - self._shown >= EVERY_SECONDS:
                self._shown = now
                self._write(f"set-up: still {', '.join(step.text(now) for step in slow)}\n")

    def _write(self, text: str) -> None:
        self.stream.write(f"{_ERASE if self._drawn else ''}{text}")
        self.stream.flush()
        self._drawn = False


BOARD = Board()
"""The one of this process."""
