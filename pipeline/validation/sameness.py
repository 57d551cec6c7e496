"""What machines of one image must not share, whatever its name: offered host keys, and files that are ids."""

from __future__ import annotations

import hashlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.machines import onmachine
from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession

CHECK = "identity::file"
ALLOW = "golden-image:validation.allowedSkips"
"""Where a stack allows a file that is the same on purpose, by the name of the check and with a reason."""

SCAN_SECONDS = 10


def offered(clone: Clone) -> dict[str, str]:
    """The SSH host keys that a machine offers, seen from outside: ``ssh-ed25519 host key`` to its hash.

    The hash is that of `identity.sh` for the same key.

    Raises:
        PipelineError: It offers none.
    """
    argv = ["ssh-keyscan", "-T", str(SCAN_SECONDS), clone.address]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = {}
    for line in done.stdout.splitlines():
        if line.strip() and not line.startswith("#"):
            kind, key = line.split()[1:3]
            found[f"offered {kind} host key"] = hashlib.sha256(f"{kind} {key}\n".encode()).hexdigest()
    if not found:
        raise PipelineError(
            f"{clone} offers no SSH host key",
            seen=done.stderr.strip()[-600:] or "nothing",
            allowed=f"an answer to ssh-keyscan within {SCAN_SECONDS} s",
        )
    return found


def files(
    machines: Sequence[Clone], *, access: SshSession, allowed: Mapping[str, str], deadline: Deadline
) -> list[CheckResult]:
    """Files that are ids by their form or their name, and the same on two machines or as the builder's.

    Args:
        machines: All of one image.
        access: The way in.
        allowed: Name of a check to the reason why its finding is accepted.
        deadline: When to give up.

    Raises:
        PipelineError: A machine could not be asked.
    """
    source = onmachine.program("identity")

    def ask(clone: Clone) -> Any:
        return onmachine.ask(clone, source, access=access, deadline=deadline, purpose="read the ids")

    with ThreadPoolExecutor(len(machines)) as pool:
        found = dict(zip((clone.address for clone in machines), pool.map(ask, machines), strict=True))
    return compare(found, allowed)


def compare(found: Mapping[str, Any], allowed: Mapping[str, str]) -> list[CheckResult]:
    """One result for each file that is a finding, or a passed one.

    Args:
        found: Address to what `pipeline.probes.identity` prints there.
        allowed: Name of a check to the reason why its finding is accepted.
    """
    wrong: dict[str, tuple[str, str]] = {}
    for address, entries in found.items():
        others = {
            other: {(one["path"], one["hash"]) for one in theirs}
            for other, theirs in found.items()
            if other != address
        }
        for entry in entries:
            path = entry["path"]
            same = [other for other, theirs in others.items() if (path, entry["hash"]) in theirs]
            if entry["builder"]:
                wrong.setdefault(path, (address, f"{path} holds the builder's {entry['builder']}"))
            elif same:
                text = f"{path} ({entry['why']}): the same as that of {', '.join(same)}"
                wrong.setdefault(path, (address, text))
    results = [_result(f"{CHECK}::{path}", *where, allowed) for path, where in sorted(wrong.items())]
    if not wrong and len(found) > 1:
        results.append(CheckResult(check=f"{CHECK}s", address="", outcome=PASSED, seconds=0))
    return results


def _result(check: str, address: str, seen: str, allowed: Mapping[str, str]) -> CheckResult:
    if check in allowed:
        return CheckResult(
            check=check,
            address=address,
            outcome=SKIPPED,
            seconds=0,
            seen=f"{seen}: allowed, {allowed[check]}",
        )
    wanted = f"one of its own, made at the first boot; or {check} and a reason in {ALLOW}"
    return CheckResult(check=check, address=address, outcome=FAILED, seconds=0, seen=seen, wanted=wanted)
