"""Whether a process is there that does a thing: locks that the kernel takes back when it ends, however it ends.

A file with such locks has no content, so that none can be cut short or belong to a process of long ago.
"""

from __future__ import annotations

import fcntl
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FLOCK = "hhqqi"
"""struct flock of fcntl(2): type, whence, start, length, process id."""


class Held:
    """Locks on the bytes of a file, one for each thing that one process at a time does.

    They are the process's (fcntl(2), record locks): its children have none of them, and it loses all of them when
    it closes the file, also if it had opened it twice. So who holds one asks for none.

    Args:
        path: The file; made when a lock is taken.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # No file object: Python would close it some time before the process ends.
        self._descriptor: int | None = None

    def take(self, number: int, *, wait: bool = False) -> bool:
        """Take a lock, until `close` or the process's end; False if another process has it and `wait` is not set."""
        if self._descriptor is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, number)
        except BlockingIOError:
            return False
        return True

    def release(self, number: int) -> None:
        """Give a lock back."""
        if self._descriptor is not None:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, number)

    def close(self) -> None:
        """Give all of them back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self, number: int) -> int | None:
        """Process id of who has a lock; None if nobody has."""
        question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        try:
            with self._path.open("rb") as file:
                kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
        except FileNotFoundError:
            return None
        return None if kind == fcntl.F_UNLCK else pid
