"""What of a lab is on this host: the things that must be gone when it is down."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lab import cgroups, network
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.settings import LabSettings


def find(settings: LabSettings) -> dict[str, list[str]]:
    """Each kind of thing, and the names of those there are.

    Needs no root but for nftables, whose tables only root may list.
    """
    return {
        "processes": _processes(settings),
        "mounts": _mounts(settings),
        "bridge": [settings.bridge] if network.bridge_exists(settings) else [],
        "nftables table": [settings.nft_table] if network.table_exists(settings) else [],
        "control groups": [settings.cgroup] if cgroups.exists(settings.cgroup) else [],
    }


def refuse(settings: LabSettings) -> None:
    """Insist that nothing of a lab is left.

    Raises:
        LabError: Something is.
    """
    left = {kind: names for kind, names in find(settings).items() if names}
    if left:
        raise LabError(
            "the lab left something behind: " + "; ".join(f"{k} {', '.join(v)}" for k, v in left.items()),
            hint=f"see {settings.log_file}",
        )


def _processes(settings: LabSettings) -> list[str]:
    """Keeper, server and machines of this lab, by their command lines and environment."""
    inside = _inside(settings)
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = process.info["cmdline"] or []
        if any(inside.search(word) for word in line) or (
            "-m" in line and ("lab.keeper" in line or "lab.server" in line) and _is_of(process, settings)
        ):
            found.append(f"{Path(line[0]).name} ({process.info['pid']})")
    return found


def _inside(settings: LabSettings) -> re.Pattern[str]:
    """Matches the lab's folder and what is in it, but not ``…/test2`` for the lab ``test``."""
    return re.compile(re.escape(str(settings.state_dir)) + r"(?![^/])")


def _is_of(process: psutil.Process, settings: LabSettings) -> bool:
    try:
        return process.environ().get("GOLDEN_IMAGE_LAB", "main") == settings.name
    except psutil.Error:
        return False


def _mounts(settings: LabSettings) -> list[str]:
    """Mounts below the lab's folder that this process can see (the lab's own are in its namespace)."""
    inside = _inside(settings)
    return [
        target
        for _, target, *_ in (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
        if inside.match(target)
    ]
