"""Runs the checks: all that can be, even if some fail; those of one kind side by side; each bounded in time."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from botocore import exceptions as boto

from pipeline import aws
from pipeline.aws.causes import DENIED
from pipeline.doctor import (
    account as accounts,
)
from pipeline.doctor import (
    channel,
    leftovers,
    machine,
    network,
    permissions,
    plugins,
    quota,
    session,
    source,
    stacks,
    state,
    template,
)
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Finding, Report, Subject
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pipeline.doctor.stacks import Place, Stack

WORKERS = 4


@dataclass(frozen=True)
class Check:
    """One check that is independent of the others.

    Attributes:
        subject: What a finding is about where the check itself cannot say.
        run: Makes the findings.
    """

    subject: Subject
    run: Callable[[], Iterable[Finding]]


def examine(names: Sequence[str], pattern: str) -> Report:
    """Look at this machine, and at the accounts of some stacks.

    Args:
        names: The stacks; none means all that have a config file.
        pattern: Path of a stack's config file, with ``{stack}`` for its name.
    """
    findings, found = _read(names, pattern)
    bakes = any(stack.bakes for stack in found)
    logged_in, url = _guarded_login()
    findings += run([*_of_the_machine(bakes=bakes)])
    findings.append(logged_in)
    by_place: dict[Place, list[Stack]] = defaultdict(list)
    for stack in found:
        by_place[stack.place].append(stack)
    for place, there in sorted(by_place.items()):
        findings += _of_a_place(Account(place), there)
    for stack in found:
        findings += _of_the_state(stack, url)
    # All about one thing together: the machine, the accounts, the stacks.
    first = [machine.HERE, *(Account(place).about for place in sorted(by_place))]
    order = {
        about: number
        for number, about in enumerate(dict.fromkeys([*first, *(one.about for one in findings)]))
    }
    return Report(tuple(sorted(findings, key=lambda one: order[one.about])))


def _read(names: Sequence[str], pattern: str) -> tuple[list[Finding], list[Stack]]:
    findings: list[Finding] = []
    found: list[Stack] = []
    wanted = list(names) or stacks.names(pattern)
    if not wanted:
        findings.append(
            Subject("stack file", machine.HERE).fail(
                f"no file {pattern}",
                cause="there is no stack to look at",
                cure="name the stacks, or their files with --config-file",
            )
        )
    for name in wanted:
        subject = Subject("stack file", f"stack {name}")
        path = stacks.path_of(pattern, name)
        try:
            stack = stacks.read(name, path)
        except PipelineError as error:
            findings.append(
                subject.fail(error.seen or str(path), cause=error.what, cure=error.change or str(path))
            )
        else:
            found.append(stack)
            kind = "bakes" if stack.bakes else f"takes from {stack.source or 'a pin'}"
            findings.append(subject.ok(f"{path}: {kind}, channel {stack.channel}, {stack.place}"))
    return findings, found


def _of_the_machine(*, bakes: bool) -> list[Check]:
    here = machine.HERE
    programs = [machine.PULUMI, machine.GIT]
    if bakes:
        programs += [machine.PACKER, machine.ANSIBLE, machine.SSH, machine.GITLEAKS]
    return [
        Check(Subject("project", here), machine.folder),
        Check(Subject("packages", here), machine.packages),
        *(Check(Subject(one.name, here), partial(machine.program, one)) for one in programs),
        Check(Subject("pulumi plugins", here), plugins.check),
    ]


def _of_a_place(account: Account, there: Sequence[Stack]) -> list[Finding]:
    """The account's checks; where nobody knows who we are, what could not be checked."""
    credentials, identity = accounts.who(account)
    local = [
        check
        for stack in there
        if stack.bakes
        for check in (
            Check(Subject("template", stack.about), partial(template.check, stack)),
            Check(Subject("session", stack.about), partial(session.check, stack)),
        )
    ]
    remote = [Check(Subject("region", account.about), partial(accounts.region, account))]
    remote.append(Check(Subject("leftovers of bakes", account.about), partial(leftovers.check, account)))
    for stack in there:
        allowed = partial(permissions.check, account, identity, stack) if identity is not None else tuple
        remote += [
            Check(Subject("permissions", stack.about), allowed),
            Check(Subject("channel", stack.about), partial(channel.check, account, stack)),
        ]
        if stack.bakes:
            remote += [
                Check(Subject("source image", stack.about), partial(source.check, account, stack)),
                Check(Subject("subnet", stack.about), partial(network.check, account, stack)),
                Check(Subject("quota", stack.about), partial(quota.check, account, stack)),
            ]
    if identity is None:
        because = f"{credentials.check}: {credentials.cause}"
        skipped = [check.subject.not_checked(because, "see credentials") for check in remote]
        return [credentials, *run(local), *skipped]
    return [credentials, *run([*local, *remote])]


def _of_the_state(stack: Stack, url: str | None) -> list[Finding]:
    subject = Subject("state", stack.about)
    if url is None:
        return [subject.not_checked("the state backend was not reached", f"see {state.STATE}")]
    return run([Check(subject, partial(state.check, stack, url))])


def _guarded_login() -> tuple[Finding, str | None]:
    try:
        return state.login()
    except (subprocess.TimeoutExpired, OSError, ValueError) as error:
        return (
            Subject(state.STATE, machine.HERE).fail(
                accounts.said(error),
                cause="Pulumi does not reach its state",
                cure="by hand: pulumi whoami -v",
            ),
            None,
        )


def run(checks: Sequence[Check]) -> list[Finding]:
    """Their findings in their order."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return [finding for findings in pool.map(_guarded, checks) for finding in findings]


def _guarded(check: Check) -> list[Finding]:
    """What a check that was refused, or waited in vain, did not find out, is a finding too."""
    try:
        return list(check.run())
    except (boto.ClientError, *accounts.UNANSWERED) as error:
        explained = aws.explain("look this up", error, region="this region")
        assert explained is not None  # noqa: S101 - both are about AWS
        cure = explained.change or "see the cause"
        if isinstance(error, boto.ClientError) and accounts.code_of(error) in DENIED:
            cure = f"allow {error.operation_name}"
        return [check.subject.not_checked(f"{explained.what}: {accounts.said(error)}", cure)]
    except PipelineError as error:
        cause = f"{error.what}: {error.seen}" if error.seen else error.what
        return [check.subject.not_checked(cause, error.change or "see the cause")]
    except subprocess.TimeoutExpired as error:
        return [check.subject.not_checked(accounts.said(error), f"by hand: {' '.join(map(str, error.cmd))}")]
    except (OSError, ValueError) as error:
        return [check.subject.not_checked(accounts.said(error), "see the cause")]
