"""What this machine must have before anything is set up: said in the first second, not minutes later."""

from __future__ import annotations

import platform
import subprocess
import sys

from tools import cache, disk, gobuild, toolchain, venv
from tools.say import SetupError, say

OLDEST_PYTHON = (3, 11)

TOOLS_GB = 6
"""Disk space to build the tools: their Go modules, what Go compiles of them, and the commands."""

VENV_GB = 1


def check(*, lab: bool, required: bool) -> bool:
    """Refuse a machine on which the set-up cannot succeed.

    Args:
        lab: Whether a lab is wanted.
        required: Whether all is in vain without one.

    Returns:
        Whether a lab is wanted and can run here.

    Raises:
        SetupError: This Python or Go is too old, the disk is too full, or a lab is required and cannot run here.
    """
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python {platform.python_version()} is too old: {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed "
            "(make PYTHON=python3.12 …)"
        )
    reason = _no_lab() if lab else None
    if reason and required:
        raise SetupError(f"{reason}\n  The demo boots machines: run it as root on Debian 12 or Ubuntu.")
    if reason:
        say(f"{reason}; the end-to-end tests are left out")
    unbuilt = toolchain.to_build()
    if unbuilt and (problem := gobuild.problem(unbuilt)):
        raise SetupError(problem)
    needed = TOOLS_GB * bool(unbuilt) + VENV_GB * (not cache.has("venv", venv.key()))
    full = disk.shortage(cache.root(), needed, what="the set-up", variable="GOLDEN_IMAGE_CACHE")
    if full:
        raise SetupError(full)
    return lab and reason is None


def _no_lab() -> str | None:
    """Why no lab can run here, by the lab itself; or None."""
    asked = subprocess.run(
        [sys.executable, "-m", "lab.host"], cwd=venv.PROJECT, capture_output=True, text=True, check=False
    )
    return asked.stderr.strip() if asked.returncode else None
