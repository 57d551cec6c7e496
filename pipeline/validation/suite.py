"""The checks as a thing with an identity: changed checks are another suite."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.settings import role as roles

if TYPE_CHECKING:
    from pathlib import Path

JUDGES = ("conftest.py", "secrets-allowed.yaml")
"""Files of a template's folder that an image is judged by, and not made of, other than the folders of checks."""


_JUDGE = re.compile(
    rf"(?:{roles.FOLDER}/[^/]+/)?{roles.CHECKS}/|{roles.FOLDER}/[^/]+/{re.escape(roles.FILE)}$"
)


def is_judge(name: str) -> bool:
    """Whether a file belongs to the suite and not to the image.

    Args:
        name: Its path, relative to the template's folder.
    """
    return name in JUDGES or _JUDGE.match(name) is not None


def suite_digest(folder: Path, role: str) -> str:
    """A digest of the checks of a role's images, and of what else decides on one: 32 hexadecimal digits.

    It covers names and contents of all files but caches, hidden ones and those of other roles; two checkouts of the
    same content agree.

    Args:
        folder: The template's folder.
        role: What the images are for.

    Raises:
        PipelineError: There are no checks, or two of one name.
    """
    others = roles.of_others(folder, role)
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    files = {
        name: path
        for name, path in names.items()
        if is_judge(name) and not name.startswith(others) and not _is_dropping(name.split("/"))
    }
    tests = [path for path in files.values() if path.name.startswith("test_")]
    _refuse_same_names(tests)
    if not tests:
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


def refuse_untested(folder: Path, role: str, smoke_test: str | None) -> None:
    """Refuse a role that nothing would be asked of but what every image is asked.

    Raises:
        PipelineError: It has no check of its own, and the stack no smoke test.
    """
    checks = folder / roles.FOLDER / role / roles.CHECKS
    if not smoke_test and not any(checks.rglob("test_*.py")):
        raise PipelineError(
            f"role {role} has no check of its own: nothing would prove that its machines do their work",
            seen=f"no test_*.py in {checks}/",
            allowed="at least one test function that takes `host` or `address`, or golden-image:validation.smokeTest",
            change=f"add {checks}/test_{role.replace('-', '_')}.py",
        )


def _refuse_same_names(tests: list[Path]) -> None:
    """Results are named after their file: two of one name could not be told apart."""
    first: dict[str, Path] = {}
    for path in sorted(tests):
        other = first.setdefault(path.name, path)
        if other != path:
            raise PipelineError(
                f"two files of checks are called {path.name}",
                seen=f"{other}\n{path}",
                allowed="a name of its own for each file: results are named after it",
                change=f"rename {path}",
            )


def _is_dropping(parts: list[str]) -> bool:
    return any(
        part.startswith(".") or part == "__pycache__" or part.endswith((".pyc", "~")) for part in parts
    )
