"""Runs other programs: bounded in time, and without questions."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

TIMEOUT_SECONDS = 30.0
"""For one call. The slowest, `packer validate`, starts two plugins and takes a second."""

_QUIET = {
    "CHECKPOINT_DISABLE": "1",
    "PACKER_NO_COLOR": "1",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "NO_COLOR": "1",
}


@dataclass(frozen=True)
class Said:
    """The exit status and output of a program."""

    status: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """Its complaint, in a few lines."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return "\n".join(lines[:8]) or f"exit status {self.status}, without output"


def found(name: str) -> str | None:
    """The path of a program on PATH, or None."""
    return shutil.which(name)


def ask(*argv: str) -> Said:
    """Run a program to its end.

    Raises:
        subprocess.TimeoutExpired: It did not end in time, and was killed.
        OSError: It cannot be run.
    """
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        timeout=TIMEOUT_SECONDS, env={**os.environ, **_QUIET},
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def version_in(text: str) -> tuple[int, int, int] | None:
    """The first version number in a program's output, such as ``Packer v1.12.0``; a missing third part counts as 0."""
    number = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(number[1]), int(number[2]), int(number[3] or 0)) if number else None


def dotted(version: tuple[int, ...]) -> str:
    """Such as ``1.12.0``."""
    return ".".join(map(str, version))
