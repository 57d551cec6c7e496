"""Debian packages that the lab and the linters need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tools.say import run, say

PACKAGES = (
    "iproute2", "mmdebstrap", "nftables", "openssh-client", "procps", "python3-venv", "shellcheck",
    "systemd-container",
)  # fmt: skip


def missing() -> list[str]:
    """Those of `PACKAGES` that this host lacks."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *PACKAGES],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    present = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in PACKAGES if name not in present]


def ensure() -> None:
    """Install what is missing, where that is ours to do; otherwise say what will not work.

    Raises:
        SetupError: apt-get failed.
    """
    if sys.platform != "linux" or shutil.which("dpkg-query") is None:
        say("this is not Debian or Ubuntu: no lab here (everything against AWS works all the same)")
        return
    absent = missing()
    if not absent:
        return
    if os.geteuid() != 0:
        say(f"not root, so these stay away: {' '.join(absent)} (the lab needs them: apt-get install them)")
        return
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("reading the package lists", ["apt-get", "update", "-q"], env=env)
    run(
        f"installing {' '.join(absent)}",
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *absent],
        env=env,
    )
