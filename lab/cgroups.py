"""A control group of its own for each machine.

Two systemds that share one group fight over the sub-groups of their equally named services: the one ends
the other's processes, and a unit fails at boot for no reason seen from inside.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path


def hierarchies() -> list[Path]:
    """Mount points that systemd in a machine uses: the unified one, and systemd's own where it is apart."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(target))
    return found


def create(group: str) -> list[Path]:
    """Make `group` (a relative path) in each hierarchy and return the folders."""
    folders = [root / group for root in hierarchies()]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def remove(group: str) -> None:
    """Remove `group` and all below it; one that still holds processes stays."""
    for root in hierarchies():
        top = root / group
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def exists(group: str) -> bool:
    """Whether any hierarchy has `group`."""
    return any((root / group).is_dir() for root in hierarchies())


def enter_and_run(folders: list[Path], argv: list[str]) -> list[str]:
    """Command line that enters the groups and then becomes `argv`."""
    paths = [str(folder / "cgroup.procs") for folder in folders]
    if any(re.search(r"[\s'\"]", path) for path in paths):
        raise ValueError(f"unexpected cgroup path in {paths}")
    script = "".join(f"echo $$ > {path}; " for path in paths) + 'exec "$@"'
    return ["sh", "-c", script, "sh", *argv]
