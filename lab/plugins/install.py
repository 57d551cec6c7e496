"""Puts the stand-ins where the engine looks for plugins."""

from __future__ import annotations

import shlex
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
VERSIONS = {"aws": "7.51.1", "command": "1.2.1"}
"""The versions of the SDKs in requirements.txt; the engine looks for just these."""


def install(pulumi_home: Path, python: Path) -> None:
    """Write both plugins' launchers below `pulumi_home`; does nothing where they are in place.

    Args:
        pulumi_home: A PULUMI_HOME of the lab's own, so that a user's plugins are never touched.
        python: The interpreter to run them with.
    """
    for name, version in VERSIONS.items():
        folder = pulumi_home / "plugins" / f"resource-{name}-v{version}"
        folder.mkdir(parents=True, exist_ok=True)
        launcher = folder / f"pulumi-resource-{name}"
        # Working directory and environment stay: they are the program's, and commands run in them.
        code = f"import sys; sys.path[0] = {str(PROJECT)!r}; from lab.plugins.{name} import main; main()"
        text = f'#!/bin/sh\nexec {shlex.quote(str(python))} -c {shlex.quote(code)} "$@"\n'
        if launcher.exists() and launcher.read_text() == text:
            continue
        new = launcher.with_suffix(".new")
        new.write_text(text)
        new.chmod(0o755)
        new.replace(launcher)
