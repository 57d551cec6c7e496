"""What a host must have before a lab can start.

Usage: python3 -m lab.host: exit status 1, and why, if no lab can run here whatever is installed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab import settings as lab_settings
from lab.errors import LabError
from tools import disk

if TYPE_CHECKING:
    from lab.settings import LabSettings

TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "unshare": "util-linux",
    "mount": "mount",
    "ps": "procps",
    "ssh": "openssh-client",
}
"""Command to Debian package."""


def missing_requirement() -> str | None:
    """Why no lab can run here, in one line; None if one can."""
    if sys.platform != "linux":
        return f"the lab boots machines with systemd-nspawn, which needs Linux; this is {sys.platform}"
    if os.geteuid() != 0:
        return (
            f"the lab makes a bridge, mounts and machines, which needs root; this is user id {os.geteuid()}"
        )
    return None


NEEDED_GB = 5
"""Disk space that the base image, and the machines of a demo or of the tests, take."""


def unfit(settings: LabSettings) -> str | None:
    """Why no lab can run on this host, whatever is installed, in one line; None if one can."""
    if problem := missing_requirement():
        return problem
    folder = settings.state_dir.parent
    return disk.shortage(folder, NEEDED_GB, what="the lab", variable="GOLDEN_IMAGE_LAB_DIR") or _no_overlay(
        disk.existing(folder)
    )


def _no_overlay(folder: Path) -> str | None:
    """Why images cannot be layers here: tried, in a mount namespace that ends with the trial."""
    with tempfile.TemporaryDirectory(dir=folder) as trial:
        for name in ("lower", "upper", "work", "merged"):
            (Path(trial) / name).mkdir()
        options = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/work"
        mounted = subprocess.run(
            ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, f"{trial}/merged"],
            capture_output=True,
            text=True,
            check=False,
        )
    if mounted.returncode == 0:
        return None
    return (
        f"the lab keeps images as layers of overlayfs, which cannot be mounted here: {mounted.stderr.strip()}"
    )


def check(settings: LabSettings) -> None:
    """Refuse a host on which the lab cannot start.

    Raises:
        LabError: No root, no Linux, a tool is missing, or the port is taken.
    """
    problem = missing_requirement()
    if problem:
        raise LabError(problem, hint="use root on a Debian 12 or Ubuntu host")
    absent = {name: package for name, package in TOOLS.items() if shutil.which(name) is None}
    if absent:
        raise LabError(
            f"the lab needs {', '.join(absent)}",
            hint=f"apt-get install {' '.join(sorted(set(absent.values())))}, or `make setup`, which does it",
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError as error:
            raise LabError(
                f"port {settings.port} on 127.0.0.1 is taken: {error.strerror}",
                hint="end what listens there, or choose another port with GOLDEN_IMAGE_LAB_PORT",
            ) from error


if __name__ == "__main__":
    sys.exit(unfit(lab_settings.load()))
