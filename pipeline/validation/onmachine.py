"""Runs a module of ours on a machine, as root, with the machine's own Python (3.6 or later)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.validation.access import Access
    from pipeline.validation.clones import Clone
    from pipeline.validation.deadline import Deadline

COMMAND = "sudo $(command -v python3 || echo /usr/libexec/platform-python) -I -"
"""On a Red Hat system without `python3`, the one that dnf runs with."""

FOLDER = Path(__file__).parent

BOOT = """\
import sys, types
package = sys.modules["pipeline"] = sys.modules["pipeline.validation"] = types.ModuleType("pipeline")
package.validation = package
for name, text in {modules!r}:
    module = sys.modules["pipeline.validation." + name] = types.ModuleType(name)
    setattr(package, name, module)
    exec(compile(text, name, "exec"), module.__dict__)
exec(compile({main!r}, {name!r}, "exec"), {{"__name__": "__main__"}})
"""
"""Lets a module import others of this package, as it does here."""


def program(name: str, *needs: str) -> bytes:
    """What the machine's Python reads: a module of this package, after those that it imports."""
    modules = [(need, (FOLDER / f"{need}.py").read_text()) for need in needs]
    return BOOT.format(modules=modules, main=(FOLDER / f"{name}.py").read_text(), name=name).encode()


def ask(clone: Clone, source: bytes, *, access: Access, deadline: Deadline, purpose: str) -> Any:
    """Run a program on a machine, and return what it prints as JSON.

    Args:
        clone: The machine.
        source: From `program`.
        access: The way in.
        deadline: When to give up.
        purpose: What it is for, such as ``read the accounts``.

    Raises:
        PipelineError: It failed, or did not end in time.
    """
    try:
        done = access.read(clone.address, [COMMAND], stdin=source, timeout=deadline.remaining() or 1)
    except subprocess.TimeoutExpired:
        raise PipelineError(
            f"could not {purpose} of {clone} within {deadline.seconds:.0f} s",
            change="golden-image:validation.timeoutSeconds in the stack file",
        ) from None
    if done.returncode != 0:
        raise PipelineError(
            f"could not {purpose} of {clone}",
            seen=done.stderr.decode(errors="replace").strip()[-600:],
            allowed="a user who may become root without a password, and Python 3.6 or later",
            change="golden-image:validation.sshUser in the stack file",
        )
    return json.loads(done.stdout)
