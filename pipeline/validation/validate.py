"""The step `validate`: the verdict on an image, from machines that were booted from it."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline import plans, results
from pipeline.aws.account import Account
from pipeline.aws.patience import LONG
from pipeline.errors import PipelineError
from pipeline.machines.boot_watch import BootWatch
from pipeline.machines.clones import Clone, Clones, say
from pipeline.machines.deadline import Deadline
from pipeline.machines.ssh import SshSession
from pipeline.promote import settle
from pipeline.results import CheckResult
from pipeline.validation import causes as causes_module
from pipeline.validation import completeness, redaction, report, show
from pipeline.validation.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence


SHOWN_LINES = 5
"""Failures that the error names in full; the table above it has all."""


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the machines.

    Args:
        given: The plan (`plans.Validate`).

    Returns:
        ``imageId``, ``role``, ``validatedAt`` (ISO 8601, UTC), ``suite``, ``checks`` (how many), ``report`` (path),
        ``digest`` (SHA-256 of the report, in hexadecimal digits).

    Raises:
        PipelineError: The plan is incomplete, a machine did not come up, or a check failed.
    """
    plan = plans.Validate.from_json(given)
    deadline = Deadline(plan.timeout_seconds)
    account = Account(region=plan.region, patience=LONG)
    clones = Clones(account.machines, plan.instance_ids, address=plan.address)
    found: list[CheckResult] = []
    ids: dict[str, str] = {}
    with (
        reported_on_failure(plan, found, ids),
        SshSession(private_key=plan.private_key, user=plan.user, lifetime=deadline.seconds) as access,
        withdrawn_on_failure(account, plan),
        clones.powered(deadline) as machines,
    ):
        ids.update({clone.address: clone.id for clone in machines})
        first_port = _wait(machines, clones, access, deadline)
        gate = Gate(plan=plan, access=access, clones=clones, deadline=deadline)
        gate.results(machines, found)
        if all(result.outcome != results.FAILED for result in found):
            gate.later(machines, found)
        _judge(found, machines, clones, access, plan)
    say(
        f"{plan.image_id}: {completeness.counts(found)} on {len(machines)} "
        f"{'machine' if len(machines) == 1 else 'machines'}, "
        f"{deadline.elapsed() - first_port:.1f} s after the first port answered"
    )
    facts = _facts(plan)
    path, digest = _report({**facts, "outcome": results.PASSED}, found, ids)
    return {**facts, "checks": len(found), "report": path, "digest": digest}


@contextlib.contextmanager
def reported_on_failure(
    plan: plans.Validate, found: Sequence[CheckResult], ids: Mapping[str, str]
) -> Generator[None]:
    """A failure has its report, too, and no secret of the machine in its error."""
    try:
        yield
    except Exception as wrong:
        known = (
            wrong if isinstance(wrong, PipelineError) else PipelineError(f"{type(wrong).__name__}: {wrong}")
        )
        error = redaction.error(known)
        all_of_it = list(found)
        if all(result.outcome != results.FAILED for result in found):
            all_of_it.append(
                CheckResult(
                    check="validation", address="", outcome=results.FAILED, seconds=0, seen=error.what,
                    wanted=error.allowed or "",
                )
            )  # fmt: skip
        _report({**_facts(plan), "outcome": results.FAILED, "error": str(error)}, all_of_it, ids)
        if known is not wrong:
            raise
        raise error from wrong


@contextlib.contextmanager
def withdrawn_on_failure(account: Account, plan: plans.Validate) -> Generator[None]:
    """Packer tags an image as a candidate; one that did not pass is not a candidate."""
    try:
        yield
    except PipelineError:
        settle.withdraw(account, plan.image_id, role=plan.role)
        raise


def _wait(machines: Sequence[Clone], clones: Clones, access: SshSession, deadline: Deadline) -> float:
    """Wait for all machines side by side; returns when the first port answered, in seconds from the start.

    Raises:
        PipelineError: One did not come up.
    """
    failures: list[tuple[Clone, PipelineError]] = []
    answered: list[float] = []
    with ThreadPoolExecutor(len(machines)) as pool:
        waiting = {pool.submit(_come_up, clone, clones, access, deadline): clone for clone in machines}
        for done in as_completed(waiting):
            try:
                answered.append(done.result())
            except PipelineError as error:
                failures.append((waiting[done], error))
                say(f"{waiting[done]}: {error.what}")
    for clone, failure in failures:
        show.console(clone, clones)
        raise failure
    return min(answered)


def _come_up(clone: Clone, clones: Clones, access: SshSession, deadline: Deadline) -> float:
    watch = BootWatch(clone, clones, deadline)
    access.wait_for_port(clone, deadline, watch.check)
    answered = deadline.elapsed()
    say(f"{clone}: port 22 answers after {answered:.1f} s")
    word = access.wait_for_boot(clone, deadline, watch.check)
    say(f"{clone}: boot finished after {deadline.elapsed():.1f} s: {word}")
    return answered


def _judge(
    found: Sequence[CheckResult],
    machines: Sequence[Clone],
    clones: Clones,
    access: SshSession,
    plan: plans.Validate,
) -> None:
    """Raise unless all checks passed. Each machine had some: the gate's own floor has results for each.

    Raises:
        PipelineError: With the number of failures; their table goes to stderr.
    """
    failed = [result for result in found if result.outcome == results.FAILED]
    image_id, role = plan.image_id, plan.role
    if failed:
        show.table(failed, machines)
        for clone in machines:
            if any(result.address == clone.address for result in failed):
                show.journal(clone, access)
                show.console(clone, clones)
        causes = causes_module.explain([result.check for result in failed], role=role)
        names = sorted({result.check.rpartition("::")[2] for result in failed})
        raise PipelineError(
            f"{image_id} failed {len(failed)} of {len(found)} checks ({completeness.counts(found)}): "
            f"{', '.join(names)}",
            seen="\n".join(show.line(result, machines) for result in show.ordered(failed)[:SHOWN_LINES]),
            allowed="an image that passes every check of its role and of every image, and the gate's own",
            change="\n".join(
                [
                    *(f"{known.cause}: {known.cure}" for known in causes),
                    "then `pulumi up`; the machines stay for a look and stop by themselves",
                ]
            ),
        )


def _facts(plan: plans.Validate) -> dict[str, Any]:
    return {
        "imageId": plan.image_id,
        "role": plan.role,
        "suite": plan.suite,
        "validatedAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _report(
    facts: Mapping[str, Any], found: Sequence[CheckResult], ids: Mapping[str, str]
) -> tuple[str, str]:
    path, digest = report.write(facts, found, ids)
    say(f"the report: {path}")
    return path, digest
