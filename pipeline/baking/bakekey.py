"""The bake key: a hash of everything that goes into an image, so that the same content is baked once.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.baking.sources import source_files
from pipeline.baking.variables import ACCESS_FILE
from pipeline.validation.suite import is_judge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

OUTPUT_FILES = ("manifest.json",)

KEY_LENGTH = 32
DIGEST_LENGTH = 16


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """Everything that goes into an image, as far as its bake key knows it.

    Attributes:
        files: Relative name to digest (of content and executable bit) of each file that shapes the image.
        variables: Values given for content variables.
        serial: Bumped by a person to force a bake.
        source_image: The resolved source image, where a newer one calls for a new bake; else None.
    """

    files: Mapping[str, str]
    variables: Mapping[str, Any]
    serial: int
    source_image: str | None = None

    def plan(self) -> dict[str, Any]:
        """As a part of a step's plan, so that a preview shows which of them changed."""
        return {
            "files": dict(self.files),
            "variables": dict(self.variables),
            "serial": self.serial,
            "sourceImage": self.source_image,
        }

    @property
    def key(self) -> str:
        """The bake key: 32 hexadecimal digits. Two checkouts of the same content agree, on any machine and branch."""
        text = json.dumps(self.plan(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


def ingredients(
    folder: Path, *, role: str, content: Mapping[str, Any], serial: int, source_image: str | None = None
) -> Ingredients:
    """Collect the inputs of the image.

    Args:
        folder: The template's folder.
        role: What the image is for; the folders of other roles do not count.
        content: Values given for content variables.
        serial: Bumped by a person to force a bake.
        source_image: The resolved source image, where a newer one calls for a new bake.
    """
    files = {}
    for name, path in _content_files(folder, role):
        executable = b"x" if path.stat().st_mode & 0o100 else b"-"
        files[name] = hashlib.sha256(executable + path.read_bytes()).hexdigest()[:DIGEST_LENGTH]
    return Ingredients(files=files, variables=content, serial=serial, source_image=source_image)


def _content_files(folder: Path, role: str) -> Iterator[tuple[str, Path]]:
    """Relative name and path of each file that shapes the image, in a fixed order."""
    for name, path in source_files(folder, role):
        if name not in (ACCESS_FILE, *OUTPUT_FILES) and not is_judge(name):
            yield name, path
