"""gitlab-ci-local, which runs .gitlab-ci.yml on this machine for the tests: from npm, at the versions of the lock file.

Usage: python -m tools.node
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tools import cache, packages
from tools.say import SetupError, ready, run
from tools.venv import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = PROJECT / "tools" / "node"
FILES = ("package.json", "package-lock.json", ".npmrc")
COMMAND = "node_modules/.bin/gitlab-ci-local"
OLDEST = 18
"""The oldest Node.js that the packages in the lock file name in ``engines``; Debian 12 has it."""

PROGRAMS = {"node": "nodejs", "npm": "npm", "rsync": "rsync"}
"""What it needs on PATH, and Debian's packages of it."""


def ensure() -> Path:
    """The command, installed first if it is not there.

    Raises:
        SetupError: There is no Node.js of that age, or npm could not install the packages.
    """
    digest = hashlib.sha256(f"{sys.platform} {platform.machine()}".encode())
    for name in FILES:
        digest.update((SOURCE / name).read_bytes())
    _node()
    return cache.entry("node", f"gitlab-ci-local-{digest.hexdigest()[:12]}", _install) / COMMAND


def _node() -> None:
    """Have what it needs on PATH."""
    # Only what is absent: a Node.js from elsewhere brings an npm that conflicts with Debian's.
    packages.install(tuple(PROGRAMS[name] for name in _absent()))
    if absent := _absent():
        raise SetupError(
            f"not on PATH: {', '.join(absent)}; .gitlab-ci.yml is run with it in the tests: install it"
        )
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    version = re.match(r"v(\d+)\.", said)
    if version is None or int(version[1]) < OLDEST:
        raise SetupError(
            f"{shutil.which('node')} is {said or 'of an unknown version'}; {OLDEST} or newer is needed"
        )


def _absent() -> list[str]:
    return [name for name in PROGRAMS if shutil.which(name) is None]


def _install(folder: Path) -> None:
    for name in FILES:
        shutil.copyfile(SOURCE / name, folder / name)
    run("installing gitlab-ci-local", ["npm", "ci"], cwd=folder, env={**os.environ, "NO_COLOR": "1"})


if __name__ == "__main__":
    sys.exit(ready(ensure))
