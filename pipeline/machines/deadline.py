"""One deadline for everything that a step waits for."""

from __future__ import annotations

import time


class Deadline:
    """A point in time, on a clock that nobody sets.

    Args:
        seconds: How far away it is.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def remaining(self) -> float:
        """Seconds that are left, never negative."""
        return max(0.0, self.seconds - self.elapsed())

    def passed(self) -> bool:
        """Whether nothing is left."""
        return self.remaining() == 0.0
