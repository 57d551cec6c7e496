"""The bake key: a hash of everything that goes into an image, so that the same content is baked once.

Imports neither pulumi nor boto3.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

ACCESS_FILE = "access.pkr.hcl"
"""Declares how Packer reaches AWS and the builder; nothing of it goes into an image."""

CHECKS_FOLDER = "checks"
"""Runs against an image, and is not in it."""

OUTPUT_FILES = ("manifest.json",)

FACTS = frozenset({"region", "bake_key", "git_commit", "manifest_path"})
"""Template variables that a bake sets itself."""

KEY_LENGTH = 32

# `packer fmt` writes a block's header on one line and at its start, and `make lint` insists on it.
_VARIABLE = re.compile(r'^variable\s+"([^"]+)"', re.MULTILINE)


class TemplateVariables(NamedTuple):
    """Names of a template's variables: those that shape the image, and those that only reach for AWS."""

    content: frozenset[str]
    access: frozenset[str]


def template_variables(folder: Path) -> TemplateVariables:
    """The variables that the template in `folder` declares.

    Raises:
        PipelineError: There is no template.
    """
    content: set[str] = set()
    access: set[str] = set()
    files = sorted(folder.glob("*.pkr.hcl"))
    if not files:
        raise PipelineError(
            "there is no Packer template",
            seen=f"no *.pkr.hcl in {folder.name}/",
            change="run from the project's folder",
        )
    for path in files:
        names = _VARIABLE.findall(path.read_text(encoding="utf-8"))
        (access if path.name == ACCESS_FILE else content).update(names)
    return TemplateVariables(frozenset(content), frozenset(access))


def split_variables(
    values: Mapping[str, Any], known: TemplateVariables, *, where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort variable values into content and access.

    Args:
        values: Name to value, as a person wrote them.
        known: What the template declares.
        where: The file and key in which they stand, for the error.

    Raises:
        PipelineError: The template has no such variable, or a bake sets it itself.
    """
    settable = sorted((known.content | known.access) - FACTS)
    for name in values:
        if name not in settable:
            near = difflib.get_close_matches(name, settable, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise PipelineError(
                f"the template has no variable that could be set as {name!r}{hint}",
                seen=f"{name}: {values[name]!r}",
                allowed=", ".join(settable),
                change=where,
            )
    return (
        {name: value for name, value in values.items() if name in known.content},
        {name: value for name, value in values.items() if name in known.access},
    )


def bake_key(
    folder: Path, *, content: Mapping[str, Any], serial: int, source_image: str | None = None
) -> str:
    """The key of the image that `folder` and the values would make: 32 hexadecimal digits.

    Two checkouts of the same content agree, on whatever machine and branch.

    Args:
        folder: The template's folder.
        content: Values given for content variables.
        serial: Bumped by a person to force a bake.
        source_image: The resolved source image, where a new one shall mean a new bake.
    """
    digest = hashlib.sha256()
    for name, path in _content_files(folder):
        data = path.read_bytes()
        executable = "x" if path.stat().st_mode & 0o100 else "-"
        digest.update(f"{name}\0{executable}\0{len(data)}\0".encode())
        digest.update(data)
    rest = {"content": dict(content), "serial": serial, "sourceImage": source_image}
    digest.update(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())
    return digest.hexdigest()[:KEY_LENGTH]


def _content_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of each file that shapes the image, in a fixed order."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(found):
        parts = name.split("/")
        if name == ACCESS_FILE or name in OUTPUT_FILES or parts[0] == CHECKS_FOLDER:
            continue
        if any(_is_dropping(part) for part in parts):
            continue
        yield name, found[name]


def _is_dropping(part: str) -> bool:
    """Whether an editor, an interpreter or an operating system left this."""
    return part.startswith(".") or part == "__pycache__" or part.endswith(("~", ".pyc", ".retry", ".swp"))
