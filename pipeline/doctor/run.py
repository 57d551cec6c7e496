"""Runs the checks: all that can be, even if some fail; those of one kind side by side; each bounded in time."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipeline.doctor import account as accounts
from pipeline.doctor import (
    channel,
    image,
    leftovers,
    machine,
    network,
    permissions,
    plugins,
    programs,
    stacks,
    state,
)
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Finding, Report, Status, Subject
from pipeline.doctor.stacks import Stack
from pipeline.errors import PipelineError
from pipeline.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.doctor.stacks import Purpose

WORKERS = 4


@dataclass(frozen=True)
class Check:
    """One check that is independent of the others.

    Attributes:
        subject: What a finding is about where the check itself fails.
        run: Makes the findings.
    """

    subject: Subject
    run: Callable[[], Iterable[Finding]]


def examine(names: Sequence[str], pattern: str, purpose: Purpose = "update") -> Report:
    """Check this machine, and the accounts of some stacks.

    Args:
        names: The stacks; none means all that have a config file.
        pattern: Path of a stack's config file, with ``{stack}`` for its name.
        purpose: The work that is planned with them.
    """
    findings, found = _read(names, pattern, purpose)
    findings += run(_of_the_machine({stack.policy for stack in found}, purpose))
    by_account: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in found:
        by_account[stack.settings.region, stack.settings.profile or ""].append(stack)
    about = [machine.HERE]
    for (region, profile), there in sorted(by_account.items()):
        account = Account(region, profile or None)
        about.append(account.about)
        findings += of_an_account(account, there)
    if purpose != "operate" and programs.found("pulumi"):
        findings += _of_the_state(found)
    # All about one object together: the machine, the accounts, the stacks.
    order = {
        name: number for number, name in enumerate(dict.fromkeys([*about, *(f.about for f in findings)]))
    }
    return Report(tuple(sorted(findings, key=lambda finding: order[finding.about])))


def _read(names: Sequence[str], pattern: str, purpose: Purpose) -> tuple[list[Finding], list[Stack]]:
    findings: list[Finding] = []
    found: list[Stack] = []
    wanted = list(names) or stacks.names(pattern)
    if not wanted:
        findings.append(
            Subject("stack file", machine.HERE).fail(
                f"no file {pattern}",
                cause="there is no stack to check",
                cure="name the stacks, or their files with --config-file",
            )
        )
    for name in wanted:
        subject, path = Subject("stack file", f"stack {name}"), stacks.path_of(pattern, name)
        try:
            settings = load.read(name, path)
        except PipelineError as error:
            findings.append(subject.failed(error))
            continue
        found.append(Stack(settings, purpose))
        kind = "bakes" if settings.bakes else f"takes from {settings.source or 'a pin'}"
        findings.append(subject.ok(f"{path}: {kind}, channel {settings.channel}, {settings.region}"))
    return findings, found


def _of_the_machine(policies: set[stacks.Policy], purpose: Purpose) -> list[Check]:
    here = machine.HERE
    wanted = [] if purpose == "operate" else [machine.PULUMI, machine.GIT]
    if "bake" in policies:
        wanted += [machine.PACKER, machine.ANSIBLE, machine.SSH, machine.GITLEAKS]
    checks = [
        Check(Subject("project", here), machine.folder),
        Check(Subject("packages", here), machine.packages),
        *(Check(Subject(one.name, here), partial(machine.program, one)) for one in wanted),
    ]
    # Without pulumi or the virtual environment, whose checks then fail, its plugins cannot be compared.
    if machine.PULUMI in wanted and programs.found("pulumi") and machine.PYTHON.exists():
        checks.append(Check(plugins.SUBJECT, plugins.check))
    return checks


def of_an_account(account: Account, there: Sequence[Stack]) -> list[Finding]:
    """The checks of one account; if AWS does not accept the credentials, that and what needs none."""
    credentials = accounts.credentials(account)
    bakes = [stack for stack in there if stack.policy == "bake"]
    checks = [Check(Subject("session", stack.about), partial(accounts.session, stack)) for stack in bakes]
    checks += [Check(Subject("template", stack.about), partial(image.template, stack)) for stack in bakes]
    if credentials.status is Status.OK:
        checks += _of_the_account(account, there, bakes)
    return [credentials, *run(checks)]


def _of_the_account(account: Account, there: Sequence[Stack], bakes: Sequence[Stack]) -> Iterator[Check]:
    if bakes:
        yield Check(Subject("leftovers of bakes", account.about), partial(leftovers.check, account))
    for stack in there:
        yield Check(Subject("permissions", stack.about), partial(permissions.check, account, stack))
        yield Check(Subject("channel", stack.about), partial(channel.check, account, stack))
    # Of a template that cannot be used, its own check reports the reason.
    for stack in filter(Stack.has_template, bakes):
        yield Check(Subject("source image", stack.about), partial(image.source_image, account, stack))
        yield Check(Subject("subnet", stack.about), partial(network.check, account, stack))


def _of_the_state(found: Sequence[Stack]) -> list[Finding]:
    """The state backend, and the stacks' states if it can be reached."""
    findings = run([Check(state.BACKEND, state.login)])
    if findings[0].status is Status.OK:
        findings += run([Check(Subject("state", one.about), partial(state.check, one)) for one in found])
    return findings


def run(checks: Sequence[Check]) -> list[Finding]:
    """Their findings in their order."""
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return [finding for findings in pool.map(_guarded, checks) for finding in findings]


def _guarded(check: Check) -> list[Finding]:
    """A check that fails, or waits in vain, is a finding too."""
    try:
        return list(check.run())
    except PipelineError as error:
        return [check.subject.failed(error)]
    except subprocess.TimeoutExpired as error:
        return [check.subject.not_checked(str(error), f"by hand: {' '.join(map(str, error.cmd))}")]
    except (OSError, ValueError) as error:
        return [check.subject.not_checked(" ".join(str(error).split()), "see the cause")]
