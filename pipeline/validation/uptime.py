"""Whether machines stay well: a second look after a while, and one more boot."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.machines.boot_watch import BootWatch
from pipeline.machines.clones import say
from pipeline.machines.ssh import SSH_FAILED, STATE_EVERY_SECONDS
from pipeline.results import FAILED, PASSED, CheckResult

if TYPE_CHECKING:
    from pipeline.machines.clones import Clone, Clones
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

CHECK = "stays-up"
BOOT_ID = ["cat", "/proc/sys/kernel/random/boot_id"]
POLL_SECONDS = 1.0
COMMAND_SECONDS = 20.0
SHOW = (
    "systemctl", "show", "--all", "--no-pager",
    "--property=Id,Type,Restart,NRestarts,ActiveState,SubState,ExecMainStartTimestampMonotonic",
    "--property=WantedBy,RequiredBy,TriggeredBy", "'*'",
)  # fmt: skip
"""One paragraph a unit. Quoted, for the machine's shell."""

DAEMONS = frozenset({"forking", "dbus", "notify", "notify-reload"})
"""Types of services that say when they are ready: they are not jobs, which end (systemd.service, Type=)."""

ENDED = frozenset({"inactive", "deactivating"})

Units = dict[str, dict[str, str]]
"""Unit to its properties, as `systemctl show` has them."""


def parse(text: str) -> Units:
    """The units of `systemctl show`."""
    paragraphs = (
        dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        for paragraph in text.split("\n\n")
    )
    return {values["Id"]: values for values in paragraphs if "Id" in values}


def unwell(units: Units) -> dict[str, str]:
    """Units that are not well, with the reason."""
    found = {}
    for unit, values in units.items():
        restarts = values.get("NRestarts", "0")
        if values.get("ActiveState") == "failed":
            found[unit] = "failed"
        elif values.get("SubState") == "auto-restart":
            found[unit] = f"waits to be started again, after {restarts} restarts"
        elif restarts not in {"0", ""} and "getty.target" not in values.get("WantedBy", ""):
            # A getty is started again after each login, and where a console is hung up while the machine boots.
            found[unit] = f"was started again {restarts} times"
    return found


def running(units: Units) -> frozenset[str]:
    """Services that run because the boot wants them to: those that nothing else starts, and that may not just end."""
    return frozenset(
        unit
        for unit, values in units.items()
        if unit.endswith(".service")
        and values.get("SubState") == "running"
        and not values.get("TriggeredBy")
        and ".target" in values.get("WantedBy", "") + values.get("RequiredBy", "")
    )


def daemons(units: Units, among: frozenset[str]) -> frozenset[str]:
    """Those of some services that are certainly no job: a plain one that ends well may have done what it is for."""
    return frozenset(
        unit
        for unit in among
        if units[unit].get("Type") in DAEMONS or units[unit].get("Restart", "no") != "no"
    )


def due(units: Units, ran: frozenset[str]) -> frozenset[str]:
    """Those that ran in the boot before and have to run in this one: daemons, and what has not been started."""
    here = frozenset(ran & units.keys())
    unstarted = {unit for unit in here if units[unit].get("ExecMainStartTimestampMonotonic", "0") == "0"}
    return daemons(units, here) | unstarted | (ran - here)


def look(clone: Clone, *, access: SshSession) -> Units:
    """The units of a machine.

    Raises:
        PipelineError: The machine does not answer.
    """
    try:
        done = access.run(clone.address, SHOW, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode != 0 or "Id=" not in done.stdout:
        raise PipelineError(
            f"could not read the state of the services on {clone}",
            seen=done.stderr.strip() if done else f"no answer within {COMMAND_SECONDS:.0f} s",
            allowed="systemctl show, as the user of golden-image:validation.sshUser",
        )
    return parse(done.stdout)


def check(clone: Clone, units: Units, before: frozenset[str]) -> list[CheckResult]:
    """Whether any unit of a machine has failed, been started again since its boot, or ended.

    Args:
        clone: The machine.
        units: How its units are now.
        before: Services that ran at an earlier look.
    """
    ended = {unit for unit in before if units.get(unit, {}).get("ActiveState", "inactive") in ENDED}
    wrong = {**dict.fromkeys(ended, "ran before, and has ended"), **unwell(units)}
    results = [
        CheckResult(
            check=f"{CHECK}::{unit}",
            address=clone.address,
            outcome=FAILED,
            seconds=0,
            seen=reason,
            wanted="a service that runs on, without a restart (one that does a job and ends: Type=oneshot)",
        )
        for unit, reason in sorted(wrong.items())
    ]
    if not wrong:
        results = [CheckResult(check=f"{CHECK}::services", address=clone.address, outcome=PASSED, seconds=0)]
    reasons = ", ".join(f"{unit} {reason}" for unit, reason in sorted(wrong.items()))
    say(f"{clone}: services: {reasons or 'well'}")
    return results


def reboot(clone: Clone, *, access: SshSession, clones: Clones, deadline: Deadline) -> None:
    """Boot a machine once more, from inside; says when, and how, that boot has ended.

    Raises:
        PipelineError: It does not come back within the deadline.
    """
    before, wrong = _boot_id(clone, access)
    if not before:
        raise PipelineError(f"{clone} does not answer before its reboot", seen=wrong)
    watch = BootWatch(clone, clones, deadline, again=True)
    started = time.monotonic()
    _ask(clone, access)
    access.forget(clone.address)
    try:
        _until_another_boot(clone, access, deadline, watch, before=before)
        say(f"{clone}: booted once more within {time.monotonic() - started:.1f} s")
        word = access.wait_for_boot(clone, deadline, watch.check)
    except PipelineError as error:
        raise PipelineError(
            f"{clone} did not come back after a reboot: {error.what}",
            seen=error.seen,
            allowed="a machine that boots more than once; golden-image:validation.timeoutSeconds is the deadline",
            change="what does the first boot leave that the second one fails at? see its console, above",
        ) from error
    say(f"{clone}: its second boot finished after {time.monotonic() - started:.1f} s: {word}")


def _ask(clone: Clone, access: SshSession) -> None:
    try:
        done = access.run(clone.address, ["sudo", "systemctl", "reboot"], timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"{clone}: no answer to the reboot")
        return
    # The connection may end before its answer comes.
    if done.returncode not in (0, SSH_FAILED):
        raise PipelineError(
            f"{clone} cannot be rebooted", seen=done.stderr.strip(), allowed="systemctl reboot"
        )


def _until_another_boot(
    clone: Clone, access: SshSession, deadline: Deadline, watch: BootWatch, *, before: str
) -> None:
    asked = time.monotonic()
    while True:
        now, wrong = _boot_id(clone, access)
        if now and now != before:
            return
        if deadline.passed():
            raise PipelineError(
                f"not within the {deadline.seconds:.0f} s of the whole validation",
                seen="it has not shut down: the boot before goes on" if now else wrong,
            )
        if time.monotonic() - asked > STATE_EVERY_SECONDS:
            watch.check()
            asked = time.monotonic()
        time.sleep(POLL_SECONDS)


def _boot_id(clone: Clone, access: SshSession) -> tuple[str, str]:
    """Id of the present boot, or why it is not known."""
    try:
        done = access.run(clone.address, BOOT_ID, timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {COMMAND_SECONDS:.0f} s"
    return done.stdout.strip() if done.returncode == 0 else "", done.stderr.strip()
