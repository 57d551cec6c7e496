"""The host's switches that machines need in another position, put back when the last lab is down."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab import kept

if TYPE_CHECKING:
    from lab.settings import LabSettings

LEAST = {
    # Machines reach the package registries through the host.
    Path("/proc/sys/net/ipv4/ip_forward"): 1,
    # The kernel allows a user 128, and root's machines all count as root's: systemd, journald and their like take
    # about ten a machine, and a machine that gets none ends at once.
    Path("/proc/sys/fs/inotify/max_user_instances"): 4096,
}
"""Switch to the least that it must say."""


def _record(settings: LabSettings) -> Path:
    """What the switches said before the first lab turned them."""
    return settings.state_dir.parent / "switches.json"


def turn(settings: LabSettings, least: dict[Path, int] = LEAST) -> None:
    """Turn those switches up that say less."""
    before = {str(switch): int(switch.read_text()) for switch in least}
    record = _record(settings)
    if not record.exists():
        kept.write(record, json.dumps(before).encode())
    for switch, value in least.items():
        if before[str(switch)] < value:
            switch.write_text(f"{value}\n")


def put_back(settings: LabSettings) -> None:
    """Put back what `turn` changed; only for the last lab on this host."""
    record = _record(settings)
    if not record.exists():
        return
    try:
        before = json.loads(record.read_bytes())
    except ValueError:
        turned = ", ".join(map(str, LEAST))
        print(f"lab: {record} is cut or broken: these stay as the lab turned them: {turned}", file=sys.stderr)
        before = {}
    for switch, value in before.items():
        Path(switch).write_text(f"{value}\n")
    record.unlink()
