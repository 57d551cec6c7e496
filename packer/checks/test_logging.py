"""What happens on the machine is still known after a reboot."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def test_what_is_logged_reaches_the_disk(host: Host) -> None:
    line = f"a line of the checks, {secrets.token_hex(8)}"
    assert host.run("echo %s | systemd-cat --identifier=golden-image", line).succeeded
    with host.sudo():
        machine_id = host.file("/etc/machine-id").content_string.strip()
        assert host.run("journalctl --sync").succeeded
        found = host.run(
            "journalctl --directory=%s --identifier=golden-image --output=cat",
            f"/var/log/journal/{machine_id}",
        )
    assert line in found.stdout.splitlines()


def test_the_journal_is_persistent(host: Host) -> None:
    machine_id = host.file("/etc/machine-id").content_string.strip()
    assert host.file(f"/var/log/journal/{machine_id}").is_directory
