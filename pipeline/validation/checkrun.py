"""Runs packer/checks with pytest against machines, and shows each result as it comes."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.processes import dies_with_parent
from pipeline.validation import results
from pipeline.validation.clones import Clone, say

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from pipeline.validation.access import Access
    from pipeline.validation.deadline import Deadline
    from pipeline.validation.results import CheckResult

CHECKS = Path("packer/checks")
MARKS = {results.PASSED: "ok", results.FAILED: "FAILED", results.SKIPPED: "skipped"}

# pytest's exit codes: 0 all passed, 1 some failed, 2 interrupted (also: files that cannot be collected), 5 no test.
_RAN = (0, 1, 2, 5)


def run(
    clones: Sequence[Clone], *, access: Access, role: str, deadline: Deadline, folder: Path = CHECKS
) -> list[CheckResult]:
    """Run all checks of a role on all machines.

    Args:
        clones: The machines.
        access: The way in.
        role: Which role's checks run.
        deadline: When to give up.
        folder: Where the checks are.

    Raises:
        PipelineError: They could not be run, or did not end in time.
    """
    argv = [
        sys.executable, "-m", "pytest", str(folder), "-c", os.devnull, f"--rootdir={folder}", "-q",
        "--continue-on-collection-errors", "--import-mode=importlib",
        "-p", "no:cacheprovider", "-p", "pipeline.validation.results",
        f"--ssh-config={access.config}",
        "--hosts=" + ",".join(f"ssh://{access.user}@{clone.address}" for clone in clones),
    ]  # fmt: skip
    names = {clone.address: str(clone) for clone in clones}
    read, write = os.pipe()
    environment = {
        **os.environ,
        "GOLDEN_IMAGE_ROLE": role,
        results.DESCRIPTOR_VARIABLE: str(write),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    found = []
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
            for line in _lines(read, deadline):
                result = results.parse(line)
                found.append(result)
                where = names.get(result.address, "all machines")
                say(f"{where}: {result.check} {MARKS[result.outcome]} ({result.seconds:.1f} s)")
            process.wait(deadline.remaining() or 1)
        except (TimeoutError, subprocess.TimeoutExpired):
            raise PipelineError(
                f"the checks did not end within {deadline.seconds:.0f} s",
                seen=f"{len(found)} results; the last: {found[-1].check}" if found else "no result",
                change="golden-image:validation.timeoutSeconds in the stack file, or the check that hangs",
            ) from None
        finally:
            os.close(read)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        tail = output.read().splitlines()[-20:]
    if process.returncode not in _RAN or not found:
        raise PipelineError(
            f"the checks could not be run (pytest's exit status {process.returncode})",
            seen="\n".join(tail),
            change=f"{folder}/",
        )
    return found


def _lines(descriptor: int, deadline: Deadline) -> Generator[str]:
    """Lines from a pipe until its end.

    Raises:
        TimeoutError: The deadline came first.
    """
    rest = b""
    while True:
        if not select.select([descriptor], [], [], deadline.remaining())[0]:
            raise TimeoutError
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode()
