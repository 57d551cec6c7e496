"""Runs a program of `pipeline/probes/` on a machine, as root, with the machine's own Python (3.6 or later)."""

from __future__ import annotations

import ast
import itertools
import json
import re
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

COMMAND = "sudo $(command -v python3 || echo /usr/libexec/platform-python) -I -"
"""On a Red Hat system without `python3`, the one that dnf runs with."""

FOLDER = Path(__file__).parents[1] / "probes"
IMPORT = re.compile(r"^from pipeline\.probes\.(\w+) import ", re.MULTILINE)

BOOT = """\
import sys, types
package = sys.modules["pipeline"] = sys.modules["pipeline.probes"] = types.ModuleType("pipeline")
package.probes = package
for name, text in {modules!r}:
    module = sys.modules["pipeline.probes." + name] = types.ModuleType(name)
    setattr(package, name, module)
    exec(compile(text, name, "exec"), module.__dict__)
exec(compile({main!r}, {name!r}, "exec"), {{"__name__": "__main__"}})
"""
"""Lets a module import others of its room, as it does here."""


_PARSING = threading.Lock()
"""The machines are asked at once, and ``ast.parse`` in several threads fails with "AST constructor recursion depth
mismatch" (CPython issue 106905)."""


def program(name: str) -> bytes:
    """What the machine's Python reads: a module of `pipeline/probes/`, after those of it that it imports."""
    *needs, main = _with_needs(name)
    with _PARSING:
        modules = [(need, _without_annotations((FOLDER / f"{need}.py").read_text())) for need in needs]
        text = _without_annotations((FOLDER / f"{main}.py").read_text())
    return BOOT.format(modules=modules, main=text, name=name).encode()


def _with_needs(name: str) -> list[str]:
    """A module and what it imports of that room, each after what it needs itself."""
    order: list[str] = []
    for need in IMPORT.findall((FOLDER / f"{name}.py").read_text()):
        order += [one for one in _with_needs(need) if one not in order]
    return [*order, name]


def _without_annotations(text: str) -> str:
    """A module's text without what Python 3.6 does not take: annotations that are not evaluated came with 3.7."""
    lines = [line.encode() for line in text.splitlines(keepends=True)]
    starts = list(itertools.accumulate(map(len, lines), initial=0))
    content = b"".join(lines)

    def place(line: int | None, column: int | None) -> int:
        return starts[(line or 1) - 1] + (column or 0)

    cuts = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.arg) and node.annotation:
            start = place(node.lineno, node.col_offset) + len(node.arg.encode())
            cuts.append((start, place(node.annotation.end_lineno, node.annotation.end_col_offset)))
        elif isinstance(node, ast.FunctionDef) and node.returns:
            start = content.rindex(b"->", 0, place(node.returns.lineno, node.returns.col_offset))
            cuts.append((start, place(node.returns.end_lineno, node.returns.end_col_offset)))
        elif isinstance(node, ast.AnnAssign):
            start = place(node.target.end_lineno, node.target.end_col_offset)
            cuts.append((start, place(node.annotation.end_lineno, node.annotation.end_col_offset)))
        elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
            cuts.append((place(node.lineno, 0), place(node.end_lineno, node.end_col_offset)))
    for start, end in sorted(cuts, reverse=True):
        content = content[:start] + content[end:]
    return content.decode()


def ask(clone: Clone, source: bytes, *, access: SshSession, deadline: Deadline, purpose: str) -> Any:
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
