"""Where a lab keeps its things, and which part of the host's network it takes.

Several labs can run side by side, so that a test run or a demo never touches the one somebody works in: ``main``
(``make lab``), ``demo``, ``bench``, and those of the tests. Each has a subnet, a bridge, a port and a folder of
its own.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

ACCOUNT_ID = "123456789012"
"""The account that every call belongs to (moto's default)."""

REGION = "eu-west-1"
VPC_CIDR = ipaddress.IPv4Network("172.31.0.0/16")
"""The default VPC's range, as on AWS and in moto."""

SUBNET_ID = "subnet-01ab01ab01ab01ab0"
"""The lab's one subnet; a fixed id, so that stack config under lab/ can name it."""

TABLE_PREFIX = "golden_image_lab_"
"""How the nftables tables of all labs begin."""

NAMES = ("main", "demo", "bench", "spare", "test", "test2", "test3", "test4")
FIRST_PORT = 4577


@dataclass(frozen=True)
class LabSettings:
    """One lab on this host.

    Attributes:
        name: One of `NAMES`.
        state_dir: Folder for machines, image layers, control-plane state and logs.
        port: TCP port of the API on 127.0.0.1.
        bridge: Name of the bridge that the machines are attached to.
        subnet: The addresses of the machines; the first one is the bridge's.
    """

    name: str
    state_dir: Path
    port: int
    bridge: str
    subnet: ipaddress.IPv4Network

    @property
    def gateway(self) -> ipaddress.IPv4Address:
        """The bridge's own address."""
        return self.subnet.network_address + 1

    @property
    def endpoint(self) -> str:
        """Value for ``AWS_ENDPOINT_URL``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def nft_table(self) -> str:
        """Name of the nftables table (family ip) that gives the machines a way out."""
        return f"{TABLE_PREFIX}{self.name}"

    @property
    def cgroup(self) -> str:
        """Folder below each cgroup hierarchy's root that holds one group a machine."""
        return f"golden-image-lab-{self.name}"

    @property
    def machines_dir(self) -> Path:
        """One folder an instance."""
        return self.state_dir / "machines"

    @property
    def layers_dir(self) -> Path:
        """One folder an image layer."""
        return self.state_dir / "layers"

    @property
    def manners_file(self) -> Path:
        """Which of AWS's manners the lab has."""
        return self.state_dir / "manners.json"

    @property
    def log_file(self) -> Path:
        """What the lab's processes print."""
        return self.state_dir / "lab.log"

    @property
    def pulumi_home(self) -> Path:
        """``PULUMI_HOME`` with the plugin stand-ins, apart from the user's own."""
        return self.state_dir / "pulumi" / "home"

    @property
    def backend_dir(self) -> Path:
        """Folder of the Pulumi state."""
        return self.state_dir / "pulumi" / "state"


def load() -> LabSettings:
    """Settings of the lab that the environment names.

    ``GOLDEN_IMAGE_LAB`` picks the lab (default ``main``), ``GOLDEN_IMAGE_LAB_DIR`` the folder above the
    labs' folders (default ``/var/lib/golden-image-lab``), ``GOLDEN_IMAGE_LAB_PORT`` another port.

    Raises:
        LabError: A variable has a value that is not allowed.
    """
    name = os.environ.get("GOLDEN_IMAGE_LAB", "main")
    if name not in NAMES:
        raise LabError(
            f"there is no lab called {name!r}",
            hint=f"set GOLDEN_IMAGE_LAB to one of {', '.join(NAMES)}",
        )
    number = NAMES.index(name)
    port_text = os.environ.get("GOLDEN_IMAGE_LAB_PORT", str(FIRST_PORT + number))
    if not port_text.isdecimal() or not 1 <= int(port_text) <= 65535:  # noqa: PLR2004
        raise LabError(
            f"{port_text!r} is not a TCP port", hint="set GOLDEN_IMAGE_LAB_PORT to a number from 1 to 65535"
        )
    base = Path(os.environ.get("GOLDEN_IMAGE_LAB_DIR", "/var/lib/golden-image-lab"))
    subnets = list(VPC_CIDR.subnets(new_prefix=20))
    return LabSettings(
        name=name,
        state_dir=base / name,
        port=int(port_text),
        bridge=f"gilab{number}",
        subnet=subnets[number],
    )
