"""What a host must have before a lab can start."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING

from lab.errors import LabError

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
