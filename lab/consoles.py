"""What machines that have ended had printed; EC2, too, still shows it for a while."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

KEPT_SECONDS = 3600.0
"""After a machine's end: "available for at least one hour after the most recent post" (API reference,
GetConsoleOutput)."""


class Consoles:
    """Those of one lab, one file each.

    Args:
        folder: Where they are; exists.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, instance_id: str, text: str) -> None:
        """Keep that of a machine that ends now."""
        self._path(instance_id).write_text(text)

    def read(self, instance_id: str) -> str:
        """What a machine had printed; empty if none is kept."""
        path = self._path(instance_id)
        return path.read_text() if path.exists() else ""

    def is_forgotten(self, instance_id: str) -> bool:
        """Whether a machine ended so long ago that EC2 no longer finds it."""
        path = self._path(instance_id)
        return path.exists() and time.time() - path.stat().st_mtime > KEPT_SECONDS

    def grow_older(self, seconds: float) -> None:
        """Let each machine have ended so much earlier."""
        for path in self._folder.glob("*.console.log"):
            ended = path.stat().st_mtime - seconds
            os.utime(path, (ended, ended))

    def _path(self, instance_id: str) -> Path:
        return self._folder / f"{instance_id}.console.log"
