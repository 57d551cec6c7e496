"""The time of groups and refreshes: the host's, until a test moves it."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lab import kept

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Seconds since the epoch, as the lab has them.

    Args:
        path: Where it is kept how far ahead of the host's time the lab's is.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        ahead = kept.read(path, json.loads) if path.exists() else 0.0
        self._now = time.time() + float(ahead)
        self._since = time.monotonic()
        self._rate = 1.0

    @property
    def rate(self) -> float:
        """How many seconds go by in one of the host's; 0: time stands still."""
        return self._rate

    def now(self) -> float:
        """Seconds since the epoch."""
        with self._lock:
            return self._read()

    def _read(self) -> float:
        return self._now + (time.monotonic() - self._since) * self._rate

    def run(self, rate: float) -> None:
        """Let time go by at this rate from now on."""
        with self._lock:
            self._now, self._since = self._read(), time.monotonic()
            self._rate = rate

    def move(self, seconds: float) -> None:
        """Let it be so much later at once."""
        with self._lock:
            self._now += seconds

    def keep(self) -> None:
        """Write down how far ahead it is, for the next start."""
        kept.write(self._path, json.dumps(self.now() - time.time()).encode())


def moment(seconds: float | None) -> datetime | None:
    """A point in time as the API answers it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
