"""What every image has to pass, outside of packer/checks: no change of a team's checks can lower it."""

from __future__ import annotations

import socket
import subprocess
import time
from typing import TYPE_CHECKING

from pipeline.validation.clones import say
from pipeline.validation.results import FAILED, PASSED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.validation.access import Access
    from pipeline.validation.clones import Clone
    from pipeline.validation.deadline import Deadline

CHECK = "floor"
HEALTH_ROLES = frozenset({"web"})
"""Roles whose machines answer GET /health."""

POLL_SECONDS = 0.5
ANSWER_SECONDS = 5.0
RESERVE = 0.25
"""The part of the deadline that waiting leaves to everything after it."""

SOON_SECONDS = 20.0
"""How long what starts at boot may be on its way when the boot has ended."""


def check(
    clone: Clone, *, access: Access, role: str, deadline: Deadline, patient: bool = True
) -> list[CheckResult]:
    """The floor of one machine.

    Args:
        clone: The machine.
        access: The way in.
        role: What it is made for.
        deadline: When to give up.
        patient: Whether something may still come; a second look takes the machine as it is.
    """
    wanted: list[tuple[str, Callable[[], str], str, float]] = [
        ("ssh", lambda: _banner(clone), "SSH's banner on port 22", SOON_SECONDS),
        ("node-exporter", lambda: _exporter(clone, access), "an active unit node_exporter", SOON_SECONDS),
    ]
    if role in HEALTH_ROLES:
        # An application may take its time; the deadline is the stack's.
        most = deadline.seconds * (1 - RESERVE) - deadline.elapsed()
        wanted.append(("health", lambda: _health(clone), "status 200 from GET /health on port 80", most))
    return [
        _one(clone, name, look, text, seconds if patient else 0.0) for name, look, text, seconds in wanted
    ]


def role_test(clone: Clone, role: str, *, tested: bool) -> CheckResult:
    """Whether something was checked that only this role has."""
    return CheckResult(
        check=f"{CHECK}::role-test",
        address=clone.address,
        outcome=PASSED if tested else FAILED,
        seconds=0,
        seen="" if tested else f"no check of role {role} has passed",
        wanted=""
        if tested
        else f'one in packer/checks/ that is marked @pytest.mark.role("{role}"), or '
        "golden-image:validation.smokeTest",
    )


def _one(clone: Clone, name: str, look: Callable[[], str], wanted: str, seconds: float) -> CheckResult:
    """Look until it is well, or for so many seconds; `look` returns what is wrong."""
    started = time.monotonic()
    while True:
        seen = look()
        passed = time.monotonic() - started
        if not seen or passed > seconds:
            break
        time.sleep(POLL_SECONDS)
    result = CheckResult(
        check=f"{CHECK}::{name}",
        address=clone.address,
        outcome=FAILED if seen else PASSED,
        seconds=round(passed, 2),
        seen=f"{seen}, for {passed:.0f} s" if seen else "",
        wanted=wanted if seen else "",
    )
    say(f"{clone}: {result.check} {'FAILED' if seen else 'ok'} ({passed:.1f} s)")
    return result


def _banner(clone: Clone) -> str:
    try:
        with socket.create_connection((clone.address, 22), timeout=ANSWER_SECONDS) as connection:
            first = connection.recv(4)
    except OSError as error:
        return str(error)
    return "" if first == b"SSH-" else repr(first)


def _health(clone: Clone) -> str:
    import httpx  # noqa: PLC0415 - only where a role has it

    try:
        answer = httpx.get(f"http://{clone.address}/health", timeout=ANSWER_SECONDS, trust_env=False)
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__
    return "" if answer.status_code == httpx.codes.OK else f"status {answer.status_code}"


def _exporter(clone: Clone, access: Access) -> str:
    try:
        done = access.run(clone.address, ["systemctl", "is-active", "node_exporter"], timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    return "" if done.stdout.strip() == "active" else done.stdout.strip() or done.stderr.strip()
