"""Locks that killed `pulumi` processes left on stacks in the lab's state backend."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lab import environment
from lab.errors import LabError

if TYPE_CHECKING:
    from lab.settings import LabSettings


def release(settings: LabSettings, stack: str) -> list[int]:
    """Cancel the updates of a stack whose processes are gone; returns their process ids.

    The file backend writes one file a lock, with the id of the process that holds it. A lock whose process
    lives is left alone: Pulumi then says who holds it.

    Raises:
        LabError: Pulumi could not release it.
    """
    variables = environment.variables(settings)
    # A working copy may have a backend of its own, as the tests' have.
    backend = os.environ.get("PULUMI_BACKEND_URL", variables["PULUMI_BACKEND_URL"])
    folder = Path(backend.removeprefix("file://")) / ".pulumi" / "locks"
    holders = [json.loads(file.read_text())["pid"] for file in folder.glob(f"**/{stack}/*.json")]
    if not holders or any(_is_pulumi(pid) for pid in holders):
        return []
    done = subprocess.run(
        ["pulumi", "cancel", "--yes", "--non-interactive", "--stack", stack],
        env={**os.environ, **variables, "PULUMI_BACKEND_URL": backend},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise LabError(f"the lock on stack {stack} stays: {done.stderr.strip()}", hint="pulumi cancel")
    return holders


def _is_pulumi(pid: int) -> bool:
    try:
        return psutil.Process(pid).name() == "pulumi"
    except psutil.Error:
        return False
