"""The machine came up, whole, and lets people in."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def test_boot_finished(host: Host) -> None:
    assert host.run("systemctl is-system-running").stdout.strip() == "running"


def test_no_unit_failed(host: Host) -> None:
    assert host.run("systemctl --failed --no-legend --plain").stdout.split("\n") == [""]


def test_ssh_answers_from_outside(address: str) -> None:
    with socket.create_connection((address, 22), timeout=5) as connection:
        assert connection.recv(4) == b"SSH-"
