"""What every image has to pass, outside of packer/checks: no change of a team's checks can lower it."""

from __future__ import annotations

import re
import shlex
import socket
import subprocess
import time
from typing import TYPE_CHECKING

from pipeline.machines.clones import say
from pipeline.results import FAILED, PASSED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

CHECK = "floor"

POLL_SECONDS = 0.5
ANSWER_SECONDS = 5.0
"""How long one answer may take; a load balancer's health check waits as long (HealthCheckTimeoutSeconds, ELB)."""

COMMAND_SECONDS = 20.0
REQUEST = (
    "GET /health HTTP/1.1\r\nHost: {}\r\nUser-Agent: golden-image\r\nAccept: */*\r\nConnection: close\r\n\r\n"
)
STATUS = re.compile(r"HTTP/\d(?:\.\d)? (\d{3})(?: |$)")
LINE_BYTES = 4096
RESERVE = 0.25
"""The part of what is left of the deadline that waiting leaves to everything after it."""

SOON_SECONDS = 20.0
"""How long what starts at boot may be on its way when the boot has ended."""

CLOCK_SECONDS = 300
"""How far a machine's clock may be from this one's: AWS refuses requests that are signed with more (SigV4)."""

WRITE = """
for folder in /tmp /var/tmp /var/log; do
  file=$(mktemp "$folder/golden-image.XXXXXX") && head -c 1048576 /dev/zero > "$file" || failed=1
  rm -f "$file"
done
exit ${failed:-0}
"""

JOURNAL = """
line="golden-image $(cat /proc/sys/kernel/random/uuid)"
has() {
  why=$({ journalctl --quiet --boot --identifier=golden-image --output=cat "$@" | grep -qxF "$line"; } 2>&1)
}
wrong() { printf '%s\\n' "a line that was logged is not in $1" "$why" >&2; exit 1; }
echo "$line" | systemd-cat --identifier=golden-image && journalctl --sync || exit
has || wrong it
kept=/var/log/journal/$(cat /etc/machine-id)
wanted=$(systemd-analyze cat-config systemd/journald.conf | sed -n 's/^ *Storage *= *//p' | tail -n 1)
case ${wanted:-auto} in
  persistent) ;;
  auto) [ -e /var/log/journal ] || exit 0 ;;
  *) exit 0 ;;
esac
has --directory="$kept" || wrong "$kept: it would be lost at a reboot"
"""
"""Exit status 0 for a journal that takes a line and has it, on the disk where journald.conf(5) wants it there."""


def check(
    clone: Clone,
    *,
    access: SshSession,
    health_port: int | None,
    deadline: Deadline,
    health_wait: float,
    patient: bool = True,
) -> list[CheckResult]:
    """The floor of one machine.

    Args:
        clone: The machine.
        access: The way in.
        health_port: Where GET /health has to answer, or None.
        deadline: When to give up.
        health_wait: How long an application may take until it is well, in seconds.
        patient: Whether something may still come; a second look takes the machine as it is.
    """
    wanted: list[tuple[str, Callable[[], str], str, float]] = [
        ("ssh", lambda: _banner(clone), "SSH's banner on port 22", SOON_SECONDS),
        ("node-exporter", lambda: _exporter(clone, access), "an active unit node_exporter", SOON_SECONDS),
        ("disk", lambda: _disk(clone, access), "room for 1 MiB in /tmp, /var/tmp and /var/log", 0.0),
        ("journal", lambda: _journal(clone, access), "a journal that keeps what is logged", SOON_SECONDS),
        ("clock", lambda: _clock(clone, access), f"within {CLOCK_SECONDS} s of this machine's", SOON_SECONDS),
    ]
    if health_port is not None:
        most = min(health_wait, deadline.remaining() * (1 - RESERVE))
        text = f"status 200 from GET /health on port {health_port}"
        wanted.append(("health", lambda: _health(clone, health_port), text, most))
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
        seen="" if tested else f"no check of role {role} that looks at the machine has passed",
        wanted=""
        if tested
        else f"one in packer/roles/{role}/checks/ that takes `host` or `address`, or "
        "golden-image:validation.smokeTest",
    )


def _one(clone: Clone, name: str, look: Callable[[], str], wanted: str, seconds: float) -> CheckResult:
    """Look until it is well, at most for a number of seconds; `look` returns what is wrong."""
    started = time.monotonic()
    announced = False
    while True:
        seen = look()
        passed = time.monotonic() - started
        if not seen or passed > seconds:
            break
        if seconds > SOON_SECONDS and not announced:
            announced = True
            say(f"{clone}: {CHECK}::{name}: {seen}; waiting for at most {seconds:.0f} s")
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


def _health(clone: Clone, port: int) -> str:
    """The status of one answer, in a time that no trickle of bytes makes longer."""
    ends = time.monotonic() + ANSWER_SECONDS
    line = b""
    try:
        with socket.create_connection((clone.address, port), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(REQUEST.format(clone.address).encode())
            while b"\n" not in line and len(line) < LINE_BYTES:
                connection.settimeout(max(0.001, ends - time.monotonic()))
                chunk = connection.recv(LINE_BYTES)
                if not chunk:
                    break
                line += chunk
    except TimeoutError:
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    except OSError as error:
        return str(error)
    first = line.split(b"\n")[0].decode(errors="replace").strip()
    status = STATUS.match(first)
    if not status:
        return f"an answer that is not HTTP: {first!r}" if first else "the connection ended without an answer"
    return "" if status[1] == "200" else f"status {status[1]}"


def _exporter(clone: Clone, access: SshSession) -> str:
    try:
        done = access.run(clone.address, ["systemctl", "is-active", "node_exporter"], timeout=ANSWER_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {ANSWER_SECONDS:.0f} s"
    return "" if done.stdout.strip() == "active" else done.stdout.strip() or done.stderr.strip()


def _disk(clone: Clone, access: SshSession) -> str:
    return _run(clone, access, f"sudo sh -c {shlex.quote(WRITE)}")[1]


def _journal(clone: Clone, access: SshSession) -> str:
    return _run(clone, access, f"sudo sh -c {shlex.quote(JOURNAL)}")[1]


def _clock(clone: Clone, access: SshSession) -> str:
    text, wrong = _run(clone, access, "date +%s")
    if wrong or not text.strip().isdecimal():
        return wrong or f"not a time: {text.strip()!r}"
    off = int(text) - time.time()
    return "" if abs(off) <= CLOCK_SECONDS else f"{abs(off):.0f} s {'ahead' if off > 0 else 'behind'}"


def _run(clone: Clone, access: SshSession, command: str) -> tuple[str, str]:
    """What a command printed, and what is wrong with it."""
    try:
        done = access.run(clone.address, [command], timeout=COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        return "", f"no answer within {COMMAND_SECONDS:.0f} s"
    failed = done.stderr.strip() or f"exit status {done.returncode}"
    return done.stdout, failed if done.returncode else ""
