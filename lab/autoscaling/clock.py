"""The time of groups and refreshes: the host's, until a test moves it.

Inside the lab it only goes on, so that what is due at a time comes. AWS's answers are in the time of the host (`host`):
after a move all that was there before is older, as it is with what moto has written down (`lab.ages`).
"""

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
        self._moved = float(ahead)
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
            self._moved += seconds

    def host(self, seconds: float) -> datetime:
        """A point in the lab's time as AWS answers it: what was a minute ago here, was so by the host's clock."""
        return datetime.fromtimestamp(seconds - self._moved, UTC)

    def keep(self) -> None:
        """Write down how far ahead it is, for the next start."""
        kept.write(self._path, json.dumps(self.now() - time.time()).encode())
