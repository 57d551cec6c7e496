"""What a machine gets at boot: its name, its keys and user data, its address (cloud-init's NoCloud)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv4Network

RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""Where the host's real name servers stand: a stub on 127.0.0.53 is of no use inside a machine."""


@dataclass(frozen=True)
class Seed:
    """One machine's first-boot data.

    Attributes:
        instance_id: cloud-init runs its once-an-instance part again when this changes.
        address: The machine's address on the bridge.
        network: The subnet, whose first address is the way out.
        public_key: The instance's key pair, OpenSSH format, or None.
        user_data: What RunInstances was given, decoded.
        memory_mib: The memory of the instance's type, which the machine cannot exceed.
    """

    instance_id: str
    address: IPv4Address
    network: IPv4Network
    public_key: str | None
    user_data: bytes
    memory_mib: int

    @property
    def hostname(self) -> str:
        """EC2's naming: ``ip-172-31-0-5``."""
        return "ip-" + str(self.address).replace(".", "-")

    def write(self, root: Path) -> None:
        """Put the data into a machine's root file system; done before each boot."""
        seed = root / "var/lib/cloud/seed/nocloud"
        seed.mkdir(parents=True, exist_ok=True)
        meta = {"instance-id": self.instance_id, "local-hostname": self.hostname}
        if self.public_key:
            meta["public-keys"] = [self.public_key.strip()]  # type: ignore[assignment]
        (seed / "meta-data").write_text(yaml.safe_dump(meta))
        (seed / "user-data").write_bytes(self.user_data or b"#cloud-config\n{}\n")
        network = root / "etc/systemd/network/10-lab.network"
        network.parent.mkdir(parents=True, exist_ok=True)
        network.write_text(
            f"[Match]\nName=host0\n\n[Network]\nAddress={self.address}/{self.network.prefixlen}\n"
            f"Gateway={self.network.network_address + 1}\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        )
        resolv = root / "etc/resolv.conf"
        resolv.unlink(missing_ok=True)
        source = next(path for path in RESOLVERS if path.is_file())
        resolv.write_text(source.read_text())
