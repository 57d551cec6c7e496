"""The checks as a thing with an identity: changed checks are another suite."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pathlib import Path

JUDGES = ("conftest.py", "secrets-allowed.yaml")
"""Files of a template's folder that an image is judged by, and not made of, beside the folders of checks."""


def is_judge(name: str) -> bool:
    """Whether a file belongs to the suite and not to the image.

    Args:
        name: Its path, relative to the template's folder.
    """
    return name in JUDGES or re.match(r"(roles/[^/]+/)?checks/", name) is not None


def suite_digest(folder: Path) -> str:
    """A digest of the checks in a template's folder, and of what else decides on an image: 32 hexadecimal digits.

    It covers names and contents of all files but caches and hidden ones; two checkouts of the same content
    agree.

    Args:
        folder: The template's folder.

    Raises:
        PipelineError: The folder holds no checks.
    """
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files = {
        name: path for name, path in names.items() if is_judge(name) and not _is_dropping(name.split("/"))
    }
    if not any(path.name.startswith("test_") for path in files.values()):
        raise PipelineError(
            "there are no checks to validate an image with",
            seen=f"no test_*.py in {folder.name}/checks/",
            allowed="at least one",
            change="add a test function to packer/checks/",
        )
    digest = hashlib.sha256()
    for name in sorted(files):
        content = files[name].read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:32]


def _is_dropping(parts: list[str]) -> bool:
    return any(
        part.startswith(".") or part == "__pycache__" or part.endswith((".pyc", "~")) for part in parts
    )
