"""A copy of the project whose files may be edited: a checkout stays as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


class Project:
    """A copy of the project, as git sees it, with a history of its own.

    Args:
        source: The checkout.
        folder: Where the copy goes; must not exist.
    """

    def __init__(self, source: Path, folder: Path) -> None:
        self.folder = folder
        _copy(source, folder)
        self.commit("The project as it is")

    def commit(self, message: str) -> None:
        """Keep what was edited as a commit, as a merge would."""
        identity = ["-c", "user.name=lab", "-c", "user.email=lab@localhost", "-c", "commit.gpgsign=false"]
        for argv in (["init", "-q"], ["add", "-A"], ["commit", "-q", "--allow-empty", "-m", message]):
            subprocess.run(["git", *identity, *argv], cwd=self.folder, check=True, capture_output=True)

    def stack_file(self, stack: str) -> Path:
        """Stack config of the lab for a stack."""
        return self.folder / "lab" / "stacks" / f"Pulumi.{stack}.yaml"

    def edit(self, path: str | Path, pattern: str, replacement: str) -> None:
        """Replace the one place in a file that matches `pattern` (a regular expression, multi-line).

        Raises:
            ValueError: It matches not exactly once.
        """
        file = self.folder / path
        text, count = re.subn(pattern, replacement, file.read_text(), flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"{pattern!r} stands {count} times in {path}")
        file.write_text(text)

    def pin(self, stack: str, image_id: str) -> None:
        """Pin an image in the stack's file, below the channel that it would take from.

        Raises:
            ValueError: The file does not name one such channel.
        """
        line = rf"\g<0>\n  golden-image:image: {image_id}"
        self.edit(self.stack_file(stack).relative_to(self.folder), "^  golden-image:from: .*", line)

    def set_fleet(self, stack: str, **keys: Any) -> None:
        """Set keys of `golden-image:fleet` in the stack's file."""
        yaml = YAML()
        file = self.stack_file(stack)
        found = yaml.load(file)
        found["config"].setdefault("golden-image:fleet", {}).update(keys)
        yaml.dump(found, file)

    def set_version(self, version: str) -> None:
        """Ask for another version of the image, in dev's stack file."""
        self.edit("lab/stacks/Pulumi.dev.yaml", r"image_version: .*", f"image_version: {version}")
        self.commit(f"web {version}")


def _copy(source: Path, target: Path) -> None:
    """Copy what belongs to the project, as git sees it, and its links to tools and packages."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=source, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)
    # The interpreter that runs this is the one with everything installed.
    (target / ".venv").symlink_to(Path(sys.prefix).resolve())
    # Folders of its own, with links: a set-up in the copy replaces those of the copy.
    (target / ".tools/bin").mkdir(parents=True)
    for name in (*(f"bin/{tool.name}" for tool in (source / ".tools/bin").iterdir()), "packer-plugins"):
        (target / ".tools" / name).symlink_to((source / ".tools" / name).resolve())
