"""Whether machines stay well: a second look after a while, and one more boot."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.validation.clones import say
from pipeline.validation.results import FAILED, PASSED, CheckResult

if TYPE_CHECKING:
    from pipeline.validation.access import Access
    from pipeline.validation.clones import Clone
    from pipeline.validation.deadline import Deadline

CHECK = "stays-up"
BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]
POLL_SECONDS = 1.0
COMMAND_SECONDS = 20.0
SHOW = (
    "systemctl", "show", "--type=service", "--all", "--no-pager", "--property=Id,NRestarts,ActiveState,SubState", "'*'",
)  # fmt: skip
"""One paragraph a unit. Quoted, for the machine's shell."""


def units(text: str) -> dict[str, str]:
    """Services that are not well, with the reason, from `systemctl show`."""
    found = {}
    for paragraph in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        restarts, state = values.get("NRestarts", "0"), values.get("SubState", "")
        if values.get("ActiveState") == "failed":
            found[values["Id"]] = "failed"
        elif state == "auto-restart":
            found[values["Id"]] = f"waits to be started again, after {restarts} restarts"
        elif restarts not in {"0", ""}:
            found[values["Id"]] = f"was started again {restarts} times"
    return found


def check(clone: Clone, *, access: Access) -> list[CheckResult]:
    """Whether any service of a machine has failed or been started again since its boot.

    Raises:
        PipelineError: The machine does not answer.
    """
    try:
        done = access.run(clone.address, SHOW, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode != 0 or "Id=" not in done.stdout:
        raise PipelineError(
            f"{clone} does not say how its services are",
            seen=done.stderr.strip() if done else f"no answer within {COMMAND_SECONDS:.0f} s",
            allowed="systemctl show, as the user of golden-image:validation.sshUser",
        )
    wrong = units(done.stdout)
    results = [
        CheckResult(
            check=f"{CHECK}::{unit}",
            address=clone.address,
            outcome=FAILED,
            seconds=0,
            seen=reason,
            wanted="a service that runs on, without a restart",
        )
        for unit, reason in sorted(wrong.items())
    ]
    if not wrong:
        results = [CheckResult(check=f"{CHECK}::services", address=clone.address, outcome=PASSED, seconds=0)]
    say(
        f"{clone}: services: {', '.join(f'{unit} {reason}' for unit, reason in sorted(wrong.items())) or 'well'}"
    )
    return results


def reboot(clone: Clone, *, access: Access, deadline: Deadline) -> None:
    """Boot a machine once more, from inside; returns when it lets us in again.

    Raises:
        PipelineError: It does not come back within the deadline.
    """
    before = _boot_id(clone, access)
    started = time.monotonic()
    try:
        # The connection may end before its answer comes.
        access.run(clone.address, ["sudo", "systemctl", "reboot"], timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"{clone}: no answer to the reboot")
    access.forget(clone.address)
    while True:
        now = _boot_id(clone, access)
        if now and now != before:
            say(f"{clone}: booted once more within {time.monotonic() - started:.1f} s")
            return
        if deadline.passed():
            raise PipelineError(
                f"{clone} did not come back after a reboot",
                seen=f"{'the boot before' if now else 'no SSH'}, for {time.monotonic() - started:.0f} s",
                allowed="a machine that boots more than once; golden-image:validation.timeoutSeconds is the deadline",
                change="what does the first boot leave that the second one fails at? see its console, above",
            )
        time.sleep(POLL_SECONDS)


def _boot_id(clone: Clone, access: Access) -> str:
    try:
        return access.run(clone.address, BOOT_ID, timeout=COMMAND_SECONDS).stdout.strip()
    except subprocess.TimeoutExpired:
        return ""
