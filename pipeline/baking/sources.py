"""The files that a bake can read: one list, for the bake key and for the scan for secrets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.settings import role as roles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COPIED_WHOLE = ("files", "templates")
"""Folders of a role that a task may copy as they are: every file in them counts."""

DROPPINGS = (".DS_Store",)
DROPPINGS_END = ("~", ".bak", ".orig", ".pyc", ".retry", ".swp")


def source_files(folder: Path, role: str) -> Iterator[tuple[str, Path]]:
    """Relative name and path of each file in a template's folder that an image of the role needs, in a fixed order.

    The folders of other roles are left out: roles share what is in packer/ansible/, or behind a link. Files whose names
    begin with a dot are among them, and what lies behind a link; what an editor, an interpreter or an operating system
    left is not.
    """
    found = dict(_walk(folder, "", (os.path.realpath(folder),)))
    others = roles.of_others(folder, role)
    for name in sorted(found):
        *parents, last = name.split("/")
        dropping = "__pycache__" in parents or last in DROPPINGS or last.endswith(DROPPINGS_END)
        used = not dropping or any(parent in COPIED_WHOLE for parent in parents)
        if used and not name.startswith(others):
            yield name, found[name]


def _walk(folder: Path, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_file():
            yield name, entry
        elif entry.is_dir() and os.path.realpath(entry) not in above:
            yield from _walk(entry, f"{name}/", (*above, os.path.realpath(entry)))
