"""Which Packer will do."""

from __future__ import annotations

import re
import shutil
import subprocess

from pipeline.errors import PipelineError

OLDEST = (1, 12, 0)
"""The same as in packer/plugins.pkr.hcl. This one and the one in tools/go are what the project is run with."""

RECOMMENDED = (1, 14, 0)
"""Since then `packer init` asks releases.hashicorp.com for plugins, where the current ones are; before, GitHub alone,
which answers 60 requests an hour without a token, and which no newer plugin than amazon 1.3.9 is released to."""


def require() -> None:
    """Raise unless the Packer on PATH is new enough.

    Raises:
        PipelineError: There is no Packer on PATH, it does not print its version, or it is older than `OLDEST`.
    """
    command = shutil.which("packer")
    allowed = f"Packer {_dotted(OLDEST)} or newer; {_dotted(RECOMMENDED)} or newer is recommended"
    change = "`make setup` installs it for this project, in .tools/bin; or install it yourself"
    if command is None:
        raise PipelineError("packer is not on PATH", allowed=allowed, change=change)
    done = subprocess.run([command, "version"], capture_output=True, text=True, errors="replace", check=False)
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or found is None:
        seen = (
            f"{command} version: {(done.stderr or done.stdout).strip() or f'exit status {done.returncode}'}"
        )
        raise PipelineError("packer does not print its version", seen=seen, allowed=allowed, change=change)
    if tuple(map(int, found.groups())) < OLDEST:
        raise PipelineError(
            "packer is too old", seen=f"{found[0]} ({command})", allowed=allowed, change=change
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
