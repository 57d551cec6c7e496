"""A control group of its own for each machine.

Two systemds that share one group fight over the sub-groups of their equally named services: the one ends
the other's processes, and a unit fails at boot for no reason seen from inside.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from lab.errors import LabError


def hierarchies() -> list[Path]:
    """Mount points that a machine uses: the unified one and, where they are apart, systemd's own and memory's."""
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, target, kind, options = line.split()[:4]
        if kind == "cgroup2" or (kind == "cgroup" and {"name=systemd", "memory"} & set(options.split(","))):
            found.append(Path(target))
    return found


def create(group: str) -> list[Path]:
    """Make `group` (a relative path) in each hierarchy and return the folders."""
    folders = []
    for root in hierarchies():
        folder = root
        for part in Path(group).parts:
            controllers = folder / "cgroup.controllers"
            if controllers.exists() and "memory" in controllers.read_text().split():
                (folder / "cgroup.subtree_control").write_text("+memory")
            folder /= part
            folder.mkdir(exist_ok=True)
        folders.append(folder)
    return folders


def limit_memory(group: str, mebibytes: int) -> None:
    """Let `group`, which `create` has made, have so much memory.

    systemd in the machine takes the limit for the machine's size (ConditionMemory=), /proc/meminfo shows the host's.

    Raises:
        LabError: This host's kernel limits no memory.
    """
    limits = [
        root / group / name for root in hierarchies() for name in ("memory.limit_in_bytes", "memory.max")
    ]
    there = [limit for limit in limits if limit.exists()]
    if not there:
        raise LabError(
            "a machine's memory cannot be limited: no control group hierarchy has the controller memory",
            hint="cgroup.controllers in /sys/fs/cgroup, or a cgroup mount of type memory, must name it",
        )
    for limit in there:
        limit.write_text(str(mebibytes * 1024 * 1024))


def remove(group: str) -> None:
    """Remove `group` and all below it; one that still holds processes stays."""
    for root in hierarchies():
        top = root / group
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def processes(group: str) -> list[int]:
    """Those in `group` and below it, as seen from here."""
    found: set[int] = set()
    for root in hierarchies():
        for folder, _, _ in os.walk(root / group):
            with contextlib.suppress(OSError):  # a group may go meanwhile
                found.update(map(int, (Path(folder) / "cgroup.procs").read_text().split()))
    return sorted(found - {0})  # 0: one that cannot be seen from here


def kill(group: str, *, spare: int | None = None) -> int:
    """Kill the processes in `group` and below it, but one; returns how many those were."""
    found = [pid for pid in processes(group) if pid != spare]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


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
