"""What is slow to make, made once: entries outside the checkout, each keyed by what went into it."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MARK = ".complete"


def root() -> Path:
    """Folder of the cache: ``GOLDEN_IMAGE_CACHE``, or golden-image below XDG's cache folder."""
    override = os.environ.get("GOLDEN_IMAGE_CACHE")
    if override:
        return Path(override).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "golden-image"


def has(kind: str, key: str) -> bool:
    """Whether an entry is there, complete."""
    return (root() / kind / key / _MARK).exists()


def entry(kind: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of an entry; made first if it is not there.

    An entry counts only once it has its mark, which is written last: what an interrupted or failed
    build left is removed and built again. Two builds of one entry at once end in one build.

    Args:
        kind: Sort of entry, a folder of the cache.
        key: Made of everything that went into the entry.
        build: Fills the new, empty folder that it is given, or raises.
    """
    folder = root() / kind / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    complete = folder / _MARK
    with folder.with_name(f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            complete.touch()
    return folder
