"""What a machine finds at boot."""

import ipaddress
from pathlib import Path

import pytest
import yaml

from lab import seed as seed_module
from lab.seed import Seed


@pytest.fixture
def seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Seed:
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.1\n")
    monkeypatch.setattr(seed_module, "RESOLVERS", (tmp_path / "absent", resolv))
    return Seed(
        instance_id="i-1",
        address=ipaddress.IPv4Address("172.31.0.5"),
        network=ipaddress.IPv4Network("172.31.0.0/20"),
        public_key="ssh-ed25519 AAAA test\n",
        user_data=b"#!/bin/sh\ntrue\n",
        memory_mib=1024,
    )


def test_meta_data_and_user_data(seed: Seed, tmp_path: Path) -> None:
    seed.write(tmp_path / "root")
    folder = tmp_path / "root/var/lib/cloud/seed/nocloud"
    assert yaml.safe_load((folder / "meta-data").read_text()) == {
        "instance-id": "i-1",
        "local-hostname": "ip-172-31-0-5",
        "public-keys": ["ssh-ed25519 AAAA test"],
    }
    assert (folder / "user-data").read_bytes() == b"#!/bin/sh\ntrue\n"


def test_network_and_name_server(seed: Seed, tmp_path: Path) -> None:
    seed.write(tmp_path / "root")
    network = (tmp_path / "root/etc/systemd/network/10-lab.network").read_text()
    assert "Address=172.31.0.5/20" in network
    assert "Gateway=172.31.0.1" in network
    assert (tmp_path / "root/etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"


def test_a_link_to_a_resolver_of_the_image_is_replaced(seed: Seed, tmp_path: Path) -> None:
    etc = tmp_path / "root/etc"
    etc.mkdir(parents=True)
    (etc / "resolv.conf").symlink_to("../run/absent")
    seed.write(tmp_path / "root")
    assert not (etc / "resolv.conf").is_symlink()
