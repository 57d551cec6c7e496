"""Whether a disk has room for what is to be made on it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def shortage(folder: Path, needed: int, *, what: str, variable: str) -> str | None:
    """Why a folder's disk is too full, in one line; None if it has room.

    Args:
        folder: The folder; it need not exist yet.
        needed: Space that is needed, in GB.
        what: What needs it.
        variable: The environment variable that moves the folder.
    """
    free = shutil.disk_usage(existing(folder)).free / 1e9
    if free >= needed:
        return None
    return (
        f"{folder} has {free:.1f} GB left, and {what} needs {needed} GB: make room, or set {variable} to a folder on "
        "another disk"
    )
