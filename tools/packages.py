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


def missing(names: tuple[str, ...] = PACKAGES) -> list[str]:
    """Those of `names` that this host lacks."""
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    present = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in present]


def ensure() -> None:
    """Install what the lab and the linters lack, where that is ours to do; otherwise say what will not work.

    Raises:
        SetupError: apt-get failed.
    """
    if not _debian():
        say("this is not Debian or Ubuntu: no lab here (everything against AWS works all the same)")
        return
    absent = missing()
    if absent and os.geteuid() != 0:
        say(f"not root, so these stay away: {' '.join(absent)} (the lab needs them: apt-get install them)")
    elif absent:
        _install(absent)


def install(names: tuple[str, ...]) -> None:
    """Install those of `names` that are missing, on Debian and as root; elsewhere do nothing.

    Raises:
        SetupError: apt-get failed.
    """
    if _debian() and os.geteuid() == 0 and (absent := missing(names)):
        _install(absent)


def _debian() -> bool:
    return sys.platform == "linux" and shutil.which("dpkg-query") is not None


def _install(names: list[str]) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("reading the package lists", ["apt-get", "update", "-q"], env=env)
    run(
        f"installing {' '.join(names)}",
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *names],
        env=env,
    )
