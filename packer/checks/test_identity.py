"""The machine is itself, and nobody of the build is left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


def test_it_made_a_machine_id_of_its_own(host: Host) -> None:
    assert len(host.file("/etc/machine-id").content_string.strip()) == 32


def test_it_made_host_keys_of_its_own(host: Host) -> None:
    assert host.file("/etc/ssh/ssh_host_ed25519_key").exists


def test_the_build_user_is_gone(host: Host) -> None:
    assert not host.user("packer").exists
    assert not host.file("/home/packer").exists
