"""Places that a role's files had before each role was one folder: nothing reads them there any more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.settings.role import CHECKS, FOLDER, PAGE, names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = re.compile(r"""^[^#]*\bmark\.role\(\s*(?:["']([a-z0-9-]+)["'])?""", re.MULTILINE)


def refuse(template: Path) -> None:
    """Refuse files of a role in the places of before, rather than bake or validate without them.

    Args:
        template: The template's folder.

    Raises:
        PipelineError: There are some; it names each, and its new place.
    """
    moves = [*_tasks(template), *_checks(template)]
    if moves:
        raise PipelineError(
            "files of a role are where roles were before, and would not be used",
            seen="\n".join(old for old, _ in moves),
            allowed=f"one folder a role, with all of it: {template / FOLDER}/ROLE/; see {PAGE}",
            change="\n".join(new for _, new in moves),
        )


def _tasks(template: Path) -> Iterator[tuple[str, str]]:
    """What is in Ansible's folder of a role that has its own folder now, and the way out."""
    for role in names(template):
        folder = template / "ansible" / "roles" / role
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield str(path), f"git mv {path} {template / FOLDER / role / path.relative_to(folder)}"


def _checks(template: Path) -> Iterator[tuple[str, str]]:
    """Checks of every image that are marked for one role, and the way out."""
    for path in sorted((template / CHECKS).rglob("test_*.py")):
        found = _MARK.search(path.read_text(encoding="utf-8", errors="replace"))
        if found:
            new = template / FOLDER / (found[1] or "ROLE") / CHECKS / path.name
            yield f"{path}, marked for {found[1] or 'a role'}", f"git mv {path} {new}, and remove the marker"
