"""What a stack allows by name, golden-image:validation.allowedSkips, against the names that there are."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from pipeline.machines.clones import say
from pipeline.results import FAILED, SKIPPED, CheckResult, allowed_name, name_of
from pipeline.validation import accounts, identity, sameness

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CHECK = "allowed-skips"
KEY = "golden-image:validation.allowedSkips"
NEAR = 3
"""How many names a message offers."""

WANTED = (
    "a check of packer/checks/ or of the role as the report has it, without [parameters]; accounts::KIND::NAME; "
    f"identity::file::PATH; or no such entry in {KEY}"
)


def unused(
    allowed: Mapping[str, str], *, collected: Iterable[str], found: Sequence[CheckResult]
) -> list[CheckResult]:
    """A result for each name that allows nothing.

    One that is the name of no check has failed. A finding that is allowed and not there is a result that is skipped: it
    may be gone since, and a stack file need not change in the same moment as an image.

    Args:
        allowed: Name to reason.
        collected: Ids of the checks of packer/checks, whether they are selected or not.
        found: The results.
    """
    checks = {allowed_name(name_of(nodeid)[0]) for nodeid in collected}
    # A whole file may skip itself, or not be readable.
    files = {result.check for result in found if "::" not in result.check}
    files |= {check.partition("::")[0] for check in checks}
    unread = {result.check for result in found if result.outcome == FAILED} & files
    findings = {result.check for result in found if _is_a_finding(result.check)}
    known = checks | files | findings | {identity.ONE_MACHINE}
    return [
        _result(name, checks | findings)
        for name in allowed
        if name not in known and name.partition("::")[0] not in unread
    ]


def _is_a_finding(check: str) -> bool:
    """Whether a check of this name exists only where the gate has found something that may be allowed."""
    if check.startswith(f"{sameness.CHECK}::"):
        return True
    room, kind, name = (*check.split("::", 2), "", "")[:3]
    return room == accounts.CHECK and kind in accounts.KINDS and bool(name)


def _result(name: str, names: Iterable[str]) -> CheckResult:
    near = difflib.get_close_matches(name, sorted(names), n=NEAR)
    offer = f"; did you mean {' or '.join(near)}?" if near else ""
    finding = _is_a_finding(name)
    seen = (
        f"{'there is no such finding to allow' if finding else 'no check that may skip has this name'}{offer}"
    )
    say(f"{KEY}: {name}: {seen}")
    return CheckResult(
        check=f"{CHECK}::{name}",
        address="",
        outcome=SKIPPED if finding else FAILED,
        seconds=0,
        seen=seen,
        wanted="" if finding else WANTED,
    )
