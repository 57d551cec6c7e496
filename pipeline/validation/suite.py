"""The checks as a thing with an identity: changed checks are another suite."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path


def suite_digest(folder: Path, *besides: Path) -> str:
    """A digest of the checks in a folder: 32 hexadecimal digits.

    It covers names and contents of all files but caches and hidden ones; two checkouts of the same content
    agree.

    Args:
        folder: Where the checks are.
        besides: Other files that decide on an image, where they exist.

    Raises:
        PipelineError: The folder holds no checks.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not _is_dropping(path.relative_to(folder).parts)
    }
    if not any(path.name.startswith("test_") for path in files.values()):
        raise PipelineError(
            "there are no checks to validate an image with",
            seen=f"no test_*.py in {folder.name}/",
            allowed="at least one",
            change="add a test function to packer/checks/",
        )
    files |= {f"../{path.name}": path for path in besides if path.is_file()}
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def _is_dropping(parts: tuple[str, ...]) -> bool:
    return any(
        part.startswith(".") or part == "__pycache__" or part.endswith((".pyc", "~")) for part in parts
    )
