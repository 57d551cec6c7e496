"""The step `validate`: the verdict on an image, from machines that were booted from it."""

from __future__ import annotations

import hashlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import checkrun, results
from pipeline.access import Access
from pipeline.clones import Clone, Clones, say
from pipeline.deadline import Deadline
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.results import CheckResult

TABLE_WIDTH = 140
_KEYS = {
    "region": str,
    "role": str,
    "user": str,
    "address": str,
    "suite": str,
    "timeoutSeconds": int,
    "imageId": str,
    "instanceIds": list,
    "privateKey": str,
}


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """Something that kept a machine from being checked."""

    clone: Clone
    error: PipelineError


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Check the machines.

    Args:
        plan: ``region``, ``role``, ``user``, ``address``, ``suite``, ``timeoutSeconds``, ``imageId``,
            ``instanceIds``, ``privateKey``.

    Returns:
        ``imageId``, ``validatedAt`` (ISO 8601, UTC), ``suite``, ``checks``, ``digest`` (SHA-256 of the checks'
        results, in hexadecimal digits).

    Raises:
        PipelineError: The plan is incomplete, a machine did not come up, or a check failed.
    """
    for key, kind in _KEYS.items():
        if not isinstance(plan.get(key), kind):
            raise PipelineError(
                f"the plan on standard input lacks {key!r}",
                allowed=kind.__name__,
                change="`bin/step validate` is started by the program; see components/image_validation.py",
            )
    import boto3  # noqa: PLC0415 - the other steps do not pay for it

    deadline = Deadline(plan["timeoutSeconds"])
    clones = Clones(
        boto3.client("ec2", region_name=plan["region"]), plan["instanceIds"], address=plan["address"]
    )
    with (
        Access(private_key=plan["privateKey"], user=plan["user"], lifetime=deadline.seconds) as access,
        clones.powered(deadline) as machines,
    ):
        _wait(machines, clones, access, deadline)
        found = checkrun.run(machines, access=access, role=plan["role"], deadline=deadline)
        _judge(found, machines, clones, image_id=plan["imageId"])
    say(f"{plan['imageId']} passed {len(found)} checks on {len(machines)} machines")
    return _verdict(plan, found, machines)


def _wait(machines: Sequence[Clone], clones: Clones, access: Access, deadline: Deadline) -> None:
    """Wait for all machines side by side.

    Raises:
        PipelineError: One did not come up.
    """
    with ThreadPoolExecutor(len(machines)) as pool:
        waiting = {pool.submit(_come_up, clone, clones, access, deadline): clone for clone in machines}
        failures = []
        for done in as_completed(waiting):
            error = done.exception()
            if isinstance(error, PipelineError):
                failures.append(_Failure(clone=waiting[done], error=error))
                say(f"{waiting[done]}: {error.what}")
            elif error is not None:
                raise error
    if failures:
        first = failures[0]
        _show_console(first.clone, clones)
        raise first.error


def _come_up(clone: Clone, clones: Clones, access: Access, deadline: Deadline) -> None:
    access.wait_for_port(clone, deadline, _still_running(clone, clones))
    say(f"{clone}: port 22 answers after {deadline.elapsed():.1f} s")
    word = access.wait_for_boot(clone, deadline, _still_running(clone, clones))
    say(f"{clone}: boot finished after {deadline.elapsed():.1f} s: {word}")


def _still_running(clone: Clone, clones: Clones) -> Callable[[], None]:
    def ask() -> None:
        state = clones.state(clone)
        if state != "running":
            raise PipelineError(
                f"{clone} is {state}, though nobody asked it to stop",
                seen=f"state {state}",
                allowed="state running",
                change="see what it printed, above; did its boot end in a shutdown, or did it run out of "
                "golden-image:validation.keepMinutes?",
            )

    return ask


def _judge(found: Sequence[CheckResult], machines: Sequence[Clone], clones: Clones, *, image_id: str) -> None:
    """Raise unless all checks passed, and each machine had some.

    Raises:
        PipelineError: With the number of failures; their table goes to stderr.
    """
    failed = [result for result in found if result.outcome == results.FAILED]
    if failed:
        _show(failed, machines)
        for clone in machines:
            if any(result.address == clone.address for result in failed):
                _show_console(clone, clones)
        names = sorted({result.check.rpartition("::")[2] for result in failed})
        raise PipelineError(
            f"{image_id} failed {len(failed)} of {len(found)} checks: {', '.join(names)}",
            seen="\n".join(_line(result) for result in failed[:5]),
            allowed="an image that passes every check in packer/checks/",
            change="packer/, then `pulumi up`; the machines stay for a look and stop by themselves",
        )
    unproven = [
        clone
        for clone in machines
        if not any(result.address == clone.address and result.outcome == results.PASSED for result in found)
    ]
    if unproven:
        raise PipelineError(
            f"no check ran on {', '.join(map(str, unproven))}",
            allowed="at least one check that looks at the machine (takes the fixture `host`)",
            change="packer/checks/",
        )


def _line(result: CheckResult) -> str:
    wanted = f", wanted {result.wanted}" if result.wanted else ""
    return f"{result.check}: {result.seen.splitlines()[0] if result.seen else ''}{wanted}"


def _show(failed: Sequence[CheckResult], machines: Sequence[Clone]) -> None:
    """A table on stderr: check, machine, seen, wanted."""
    from rich.console import Console  # noqa: PLC0415 - only a failure pays for it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    names = {clone.address: str(clone) for clone in machines}
    table = Table(title="failed checks", title_justify="left")
    for column in ("check", "machine", "seen", "wanted"):
        table.add_column(column, overflow="fold")
    for result in failed:
        cells = (result.check, names.get(result.address, "all"), result.seen, result.wanted)
        table.add_row(*map(Text, cells))
    Console(file=sys.stderr, width=TABLE_WIDTH).print(table)


def _show_console(clone: Clone, clones: Clones) -> None:
    text = clones.console(clone) or "(nothing yet; EC2 may be minutes behind)"
    say(f"{clone}: the last lines of its console:\n{text}")


def _verdict(
    plan: Mapping[str, Any], found: Sequence[CheckResult], machines: Sequence[Clone]
) -> dict[str, Any]:
    ids = {clone.address: clone.id for clone in machines}
    checks = [
        {**asdict(result), "clone": ids.get(result.address, "")}
        for result in sorted(found, key=lambda result: (result.address, result.check))
    ]
    report = json.dumps(checks, sort_keys=True)
    return {
        "imageId": plan["imageId"],
        "validatedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "suite": plan["suite"],
        "checks": checks,
        "digest": hashlib.sha256(report.encode()).hexdigest(),
    }
