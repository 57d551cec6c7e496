"""The lab's bridge and its way out: one bridge, one nftables table, both named after the lab."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.settings import TABLE_PREFIX

if TYPE_CHECKING:
    from lab.settings import LabSettings


def _run(*argv: str, stdin: str | None = None) -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()}", hint="the lab needs root and Linux")
    return done.stdout


def _ip(*argv: str) -> list[dict[str, Any]]:
    text = _run("ip", "-json", *argv)
    rows: list[dict[str, Any]] = json.loads(text) if text.strip() else []
    return rows


def bridge_exists(settings: LabSettings) -> bool:
    """Whether a link of the bridge's name is there, of this lab or not."""
    return Path("/sys/class/net", settings.bridge).exists()


def table_exists(settings: LabSettings) -> bool:
    """Whether the lab's nftables table is there."""
    return settings.nft_table in _tables()


def _tables() -> list[str]:
    rows = json.loads(_run("nft", "-j", "list", "tables"))["nftables"]
    return [row["table"]["name"] for row in rows if "table" in row]


def _is_ours(settings: LabSettings) -> bool:
    alias = Path("/sys/class/net", settings.bridge, "ifalias")
    return alias.exists() and alias.read_text().strip() == settings.nft_table


def check(settings: LabSettings) -> None:
    """Refuse to start where the network is already somebody else's.

    Raises:
        LabError: The bridge's name is taken, or a route of the host overlaps the lab's subnet.
    """
    if bridge_exists(settings) and not _is_ours(settings):
        raise LabError(
            f"there is already a network link {settings.bridge!r}, and it is not the lab's",
            hint=f"remove it (ip link delete {settings.bridge}), or start another lab: "
            "GOLDEN_IMAGE_LAB=main|demo",
        )
    for route in _ip("-4", "route", "show", "table", "main"):
        if route["dst"] == "default" or route.get("dev") == settings.bridge:
            continue
        if ipaddress.IPv4Network(route["dst"], strict=False).overlaps(settings.subnet):
            raise LabError(
                f"the lab's subnet {settings.subnet} overlaps this host's route to {route['dst']} "
                f"({route.get('dev', 'no device')})",
                hint="start another lab (GOLDEN_IMAGE_LAB=main|demo: each has another /20 of "
                "172.31.0.0/16), or use a host without that route",
            )


def up(settings: LabSettings) -> None:
    """Make the bridge and the masquerading table; what an earlier lab left is replaced.

    Raises:
        LabError: The network is somebody else's, or a command failed.
    """
    check(settings)
    down(settings)
    _run("ip", "link", "add", settings.bridge, "type", "bridge")
    # The mark by which a later start knows the link for its own.
    _run("ip", "link", "set", settings.bridge, "alias", settings.nft_table)
    address = f"{settings.gateway}/{settings.subnet.prefixlen}"
    _run("ip", "address", "add", address, "dev", settings.bridge)
    _run("ip", "link", "set", settings.bridge, "up")
    _run("nft", "-f", "-", stdin=_rules(settings))


def _rules(settings: LabSettings) -> str:
    """Masquerade what leaves the subnet for elsewhere, and let it through (a host may forward nothing)."""
    return f"""
table ip {settings.nft_table} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {settings.subnet} ip daddr != {settings.subnet} masquerade
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname "{settings.bridge}" accept
    oifname "{settings.bridge}" ct state established,related accept
  }}
}}
"""


def down(settings: LabSettings) -> None:
    """Remove bridge and table, if they are the lab's; nothing is an error if they are gone."""
    if table_exists(settings):
        _run("nft", "delete", "table", "ip", settings.nft_table)
    if bridge_exists(settings) and _is_ours(settings):
        _run("ip", "link", "delete", settings.bridge)


def unplug(bridge: str, machine: str, address: ipaddress.IPv4Address) -> None:
    """Take a machine off the bridge; nothing is an error if it is gone.

    The kernel removes a machine's link some time after its last process, and remembers for longer where the address
    was. On AWS the next machine that has the address is reached at once.
    """
    for argv in (
        ("ip", "link", "delete", f"vb-{machine}"),
        ("ip", "neighbour", "flush", "to", str(address), "dev", bridge),
    ):
        subprocess.run(argv, capture_output=True, check=False)


def is_last(settings: LabSettings) -> bool:
    """Whether no other lab is up on this host."""
    return not any(name.startswith(TABLE_PREFIX) and name != settings.nft_table for name in _tables())
