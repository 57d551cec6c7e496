"""What happens some seconds after its call was answered."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("lab")


class Later:
    """Does things at their time, one after another, in a thread of its own."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do it when `time.monotonic()` is that; of two at one time, the first first."""
        with self._changed:
            self._due.append((when, next(self._number), what))
            self._due.sort(key=lambda entry: entry[:2])
            self._changed.notify_all()

    def finish(self) -> None:
        """Do now whatever is left, and end: what AWS has answered it also carries out."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while (what := self._next()) is not None:
            try:
                what()
            except Exception:
                log.exception("something that was due later failed")

    def _next(self) -> Callable[[], None] | None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._due and (self._ended or self._due[0][0] <= now):
                    return self._due.pop(0)[2]
                if self._ended:
                    return None
                self._changed.wait(self._due[0][0] - now if self._due else None)
