"""Pulumi's state: is it reached, is a stack locked, and did an update break off?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ruamel.yaml import YAML

from pipeline.doctor import locks, machine, programs
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.locks import Lock
    from pipeline.doctor.stacks import Stack

STATE = "state backend"
_LOGIN = "log in (`pulumi login s3://BUCKET`, `pulumi login` for Pulumi Cloud), or set PULUMI_BACKEND_URL"
_ABSENT = "no stack named"


def login() -> tuple[Finding, str | None]:
    """Who Pulumi is logged in as, and the backend's URL; None if it was not reached."""
    subject = Subject(STATE, machine.HERE)
    path = programs.found("pulumi")
    if path is None:
        return subject.not_checked("pulumi is not on PATH", "see pulumi"), None
    said = programs.ask(path, "whoami", "--verbose", "--json", "--non-interactive")
    if said.status != 0:
        return subject.fail(said.problem, cause="Pulumi does not reach its state", cure=_LOGIN), None
    answer = json.loads(said.out)
    return subject.ok(f"{_without_password(answer['url'])} as {answer['user']}"), answer["url"]


def check(stack: Stack, url: str) -> Iterator[Finding]:
    """Whether a stack's state can be read, is locked, and tells of an operation that broke off."""
    subject = Subject("state", stack.about)
    said = programs.ask("pulumi", "stack", "export", "--stack", stack.name, "--non-interactive")
    if said.status != 0 and _ABSENT not in said.err:
        yield subject.fail(said.problem, cause="the stack's state cannot be read", cure=_LOGIN)
        return
    if said.status != 0:
        yield subject.ok("none yet; `pulumi stack init` or the first update makes it")
        return
    deployment = json.loads(said.out).get("deployment") or {}
    yield _broken_off(subject, stack, deployment.get("pending_operations") or [], deployment)
    yield from _locked(Subject("lock", stack.about), stack, url)


def _broken_off(
    subject: Subject, stack: Stack, pending: Sequence[Any], deployment: dict[str, Any]
) -> Finding:
    if not pending:
        return subject.ok(f"{len(deployment.get('resources') or [])} resources, nothing pending")
    shown = "\n".join(f"{one['type']} {one['resource']['urn'].rpartition('::')[2]}" for one in pending)
    return subject.warn(
        f"pending from an interrupted update:\n{shown}",
        cause="an update was killed while it waited for these; nobody knows whether they came to be, and each "
        "update warns of it",
        cure="look whether they exist, and remove a machine or security group that does: the next update makes "
        f"another. Then pulumi refresh --yes --clear-pending-creates --stack {stack.name}",
    )


def _locked(subject: Subject, stack: Stack, url: str) -> Iterator[Finding]:
    if urlsplit(url).scheme in {"http", "https"}:
        yield _locked_in_the_cloud(subject, stack)
        return
    held = locks.find(url, project=_project(), stack=stack.name, place=stack.place)
    yield judge(subject, stack.name, held)


def judge(subject: Subject, stack: str, held: Sequence[Lock] | None) -> Finding:
    """What the locks of a stack mean.

    Args:
        subject: The check.
        stack: The stack's name.
        held: Its locks; None if they cannot be seen.
    """
    if held is None:
        return subject.not_checked(
            "where this kind of backend keeps its locks is not known here",
            f"`pulumi preview --stack {stack}` tells",
        )
    if not held:
        return subject.ok("free")
    seen = "\n".join(f"held by {lock}" for lock in held)
    if all(lock.dead for lock in held):
        return subject.fail(
            seen,
            cause="an update was killed and could not release its lock",
            cure=f"pulumi cancel --yes --stack {stack}",
        )
    return subject.fail(
        seen,
        cause="another update of this stack runs, or was killed on another machine",
        cure=f"wait for it; only if its process is gone: pulumi cancel --yes --stack {stack}",
    )


def _locked_in_the_cloud(subject: Subject, stack: Stack) -> Finding:
    said = programs.ask("pulumi", "stack", "ls", "--json", "--non-interactive")
    if said.status != 0:
        return subject.not_checked(said.problem, "by hand: pulumi stack ls")
    for found in json.loads(said.out):
        if found["name"].rpartition("/")[2] == stack.name and found.get("updateInProgress"):
            return subject.fail(
                "an update is in progress",
                cause="another update of this stack runs, or was killed",
                cure=f"wait for it; only if its process is gone: pulumi cancel --yes --stack {stack.name}",
            )
    return subject.ok("free")


def _project() -> str:
    return str(YAML(typ="safe").load(Path("Pulumi.yaml"))["name"])


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
