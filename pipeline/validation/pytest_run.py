"""Runs the checks of an image with pytest against machines, and shows each result as it comes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from pipeline import results
from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone, say
from pipeline.processes import dies_with_parent
from pipeline.settings.role import CHECKS, FOLDER, TEMPLATE
from pipeline.validation.completeness import Run

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

MARKS = {results.PASSED: "ok", results.FAILED: "FAILED", results.SKIPPED: "skipped"}

_FOREIGN = re.compile(r"(PYTEST_|PYTHON).*|(HTTPS?|ALL|NO)_PROXY", re.IGNORECASE)
"""Variables of the caller's that would change what pytest runs (PYTEST_ADDOPTS), whether an assertion is one
(PYTHONOPTIMIZE), or by which way a machine is reached."""


def run(
    clones: Sequence[Clone], *, access: SshSession, role: str, deadline: Deadline, folder: Path = TEMPLATE
) -> Run:
    """Run all checks of a role on all machines.

    Args:
        clones: The machines.
        access: The way in.
        role: Which role's checks run.
        deadline: When to give up.
        folder: The template's folder.

    Returns:
        The run; a check that exists and has come to no result has failed, as has one that did not end in time.

    Raises:
        PipelineError: They could not be run.
    """
    places = [path for path in (folder / CHECKS, folder / FOLDER / role / CHECKS) if path.is_dir()]
    argv = [
        sys.executable, "-m", "pytest", *map(str, places), "-c", os.devnull, f"--rootdir={folder}", "-q",
        "--continue-on-collection-errors", "--import-mode=importlib",
        "-p", "no:cacheprovider", "-p", "pipeline.validation.pytest_plugin", "-p", "testinfra.plugin",
        f"--ssh-config={access.config}",
        "--hosts=" + ",".join(f"ssh://{access.user}@{clone.address}" for clone in clones),
    ]  # fmt: skip
    names = {clone.address: str(clone) for clone in clones}
    read, write = os.pipe()
    environment = {
        **{name: value for name, value in os.environ.items() if not _FOREIGN.fullmatch(name)},
        "GOLDEN_IMAGE_ROLE": role,
        results.DESCRIPTOR_VARIABLE: str(write),
        "PYTHONDONTWRITEBYTECODE": "1",
        # What happens to be installed here is not part of the checks; they name their plugins in packer/conftest.py.
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done, status = Run(), None
    with (
        # A file, for nobody reads a pipe while the results come.
        tempfile.TemporaryFile("w+", errors="replace") as output,
        subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            pass_fds=[write], start_new_session=True,
            preexec_fn=dies_with_parent,  # noqa: PLW1509 - there are no threads now
        ) as process,
    ):  # fmt: skip
        os.close(write)
        try:
            for line in _lines(read, process, deadline):
                result = done.take(json.loads(line))
                if result:
                    where = names.get(result.address, "all machines")
                    say(f"{where}: {result.check} {MARKS[result.outcome]} ({result.seconds:.1f} s)")
            status = process.wait(deadline.remaining() or 1)
        except (TimeoutError, subprocess.TimeoutExpired):
            done.hangs(deadline.seconds)
        finally:
            os.close(read)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        tail = output.read().splitlines()[-20:]
    if not done.results and not done.selected:
        raise PipelineError(
            f"the checks could not be run (pytest's exit status {status})",
            seen="\n".join(tail),
            change=f"{folder}/",
        )
    done.results += done.gaps(role=role, status=status)
    return done


def _lines(descriptor: int, process: subprocess.Popen[Any], deadline: Deadline) -> Generator[str]:
    """Lines from a pipe until its end, or the process's: what a check has left running may keep the pipe open.

    Raises:
        TimeoutError: The deadline came first.
    """
    rest = b""
    ended = os.pidfd_open(process.pid)
    try:
        while True:
            ready = select.select([descriptor, ended], [], [], deadline.remaining())[0]
            if not ready:
                raise TimeoutError
            chunk = os.read(descriptor, 65536) if descriptor in ready else b""
            if not chunk:
                return
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line.decode()
    finally:
        os.close(ended)
