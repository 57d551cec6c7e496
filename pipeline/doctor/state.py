"""Pulumi's state: can it be reached, and did an update break off?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from pipeline.doctor import machine, programs
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

BACKEND = Subject("state backend", machine.HERE)
_LOGIN = "log in (`pulumi login s3://BUCKET`, `pulumi login` for Pulumi Cloud), or set PULUMI_BACKEND_URL"
_ABSENT = "no stack named"


def login() -> Iterator[Finding]:
    """Whether Pulumi reaches its state, and as which user."""
    said = programs.ask("pulumi", "whoami", "--verbose", "--json", "--non-interactive")
    if said.status != 0:
        yield BACKEND.fail(said.problem, cause="Pulumi cannot reach its state", cure=_LOGIN)
        return
    answer = json.loads(said.out)
    parts = urlsplit(answer["url"])
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    yield BACKEND.ok(f"{url} as {answer['user']}")


def check(stack: Stack) -> Iterator[Finding]:
    """Whether a stack's state can be read, and has no operation that broke off."""
    subject = Subject("state", stack.about)
    said = programs.ask("pulumi", "stack", "export", "--stack", stack.name, "--non-interactive")
    if said.status != 0:
        if _ABSENT in said.err:
            yield subject.ok("none yet; `pulumi stack init` or the first update creates it")
        else:
            yield subject.fail(said.problem, cause="the stack's state cannot be read", cure=_LOGIN)
        return
    deployment = json.loads(said.out).get("deployment") or {}
    pending = deployment.get("pending_operations") or []
    if not pending:
        yield subject.ok(f"{len(deployment.get('resources') or [])} resources, nothing pending")
        return
    shown = "\n".join(f"{one['type']} {one['resource']['urn'].rpartition('::')[2]}" for one in pending)
    yield subject.warn(
        f"pending from an interrupted update:\n{shown}",
        cause="an update was killed while it waited for these; they may exist or not, and each update warns of them",
        cure="check whether they exist, and remove a machine or security group that does: the next update creates "
        f"another. Then pulumi refresh --yes --clear-pending-creates --stack {stack.name}",
    )
