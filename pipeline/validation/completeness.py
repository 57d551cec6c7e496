"""Whether a run of pytest proves what it seems to prove: a result for every check, and an end that agrees."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult, allowed_name, name_of
from pipeline.settings.role import CHECKS, FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHECK = "suite"
NO_RESULT = "it never came to a result"
# pytest's exit codes that results must agree with: 0 all passed, 1 some failed, 2 a file could not be collected.
AGREES = {True: (1, 2), False: (0,)}


@dataclass
class Run:
    """What one run of pytest has shown so far.

    Attributes:
        roles: Id of each check that exists to the roles that it is marked for.
        selected: Ids of those that are to run; None until that is known.
        results: Their results.
        done: Ids of those with a result.
        running: Id of the one that runs now, or of the file that is read; empty in between.
        since: When it began, in seconds of the monotonic clock.
        end: pytest's own exit status, once it has come to its end.
    """

    roles: dict[str, tuple[str, ...]] = field(default_factory=dict)
    selected: list[str] | None = None
    results: list[CheckResult] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    running: str = ""
    since: float = field(default_factory=time.monotonic)
    end: int | None = None

    def take(self, frame: Mapping[str, Any]) -> CheckResult | None:
        """Take one line of the plugin; returns the result that it brings."""
        if "item" in frame:
            self.roles[frame["item"]] = tuple(frame["roles"])
        elif "selected" in frame:
            self.selected = list(frame["selected"])
        elif "begun" in frame:
            self.running, self.since = frame["begun"], time.monotonic()
        elif "end" in frame:
            self.end = frame["end"]
        else:
            result = CheckResult(**frame["result"])
            self.results.append(result)
            self.done.add(frame["of"])
            return result
        return None

    def hangs(self, seconds: float) -> None:
        """Take that what runs now has not ended when the deadline came.

        Args:
            seconds: The whole validation's.
        """
        check, address = name_of(self.running) if self.running else (f"{CHECK}::end", "")
        self.done.add(self.running)
        ran = time.monotonic() - self.since
        self.results.append(
            CheckResult(
                check=check,
                address=address,
                outcome=FAILED,
                seconds=round(ran, 2),
                seen=f"it had not ended after {ran:.0f} s, when the {seconds:.0f} s of the whole validation were over",
                wanted="an end within golden-image:validation.timeoutSeconds",
            )
        )

    def gaps(self, *, role: str, status: int | None) -> list[CheckResult]:
        """A failed result for everything that is missing.

        Args:
            role: Which role's checks had to run.
            status: The exit status of the process; None if it had to be ended.
        """
        found = []
        for nodeid, marked in self.roles.items():
            strange = sorted(set(marked) - ({role} if _of_role(nodeid, role) else set()))
            if strange:
                wanted = "no such marker: a check for one role is in packer/roles/ROLE/checks/"
                found.append(_gap(nodeid, f"marked for {', '.join(strange)}", wanted))
        for nodeid in set(self.roles) - set(self.selected or ()):
            why = NO_RESULT if self.selected is None else "deselected"
            found.append(_gap(nodeid, why, "a result"))
        missing = [nodeid for nodeid in self.selected or () if nodeid not in self.done]
        found += [_gap(nodeid, NO_RESULT, "a result") for nodeid in missing]
        failed = any(result.outcome == FAILED for result in self.results)
        if status is None:
            return found
        if self.end is None or status != self.end:
            own = "before pytest's own end" if self.end is None else f"where pytest had come to {self.end}"
            seen = f"the process ended with exit status {status} {own}"
            found.append(_failed(f"{CHECK}::end", seen, "checks that do not end pytest"))
        elif status not in AGREES[failed]:
            seen = f"exit status {status}, though {'a result' if failed else 'no result'} is a failure"
            found.append(
                _failed(f"{CHECK}::exit-status", seen, "an exit status that agrees with the results")
            )
        return found

    def tests_role(self, role: str) -> bool:
        """Whether a check of the role's own, which looks at a machine, has passed."""
        passed = {(result.check, result.address) for result in self.results if result.outcome == PASSED}
        return any(
            _of_role(nodeid, role) and name_of(nodeid)[1] and name_of(nodeid) in passed
            for nodeid in self.roles
        )


def without_skips(results: Iterable[CheckResult], allowed: Mapping[str, str]) -> list[CheckResult]:
    """The results, where a check that skips has failed unless the stack allows it by its name.

    Args:
        results: Of all checks.
        allowed: Name of a check to the reason why it may skip.
    """
    return [
        result
        if result.outcome != SKIPPED or allowed.keys() & {result.check, allowed_name(result.check)}
        else CheckResult(
            check=result.check,
            address=result.address,
            outcome=FAILED,
            seconds=result.seconds,
            seen=f"skipped: {result.seen}",
            wanted="a result; or its name and a reason in golden-image:validation.allowedSkips",
        )
        for result in results
    ]


def counts(results: Iterable[CheckResult]) -> str:
    """Such as ``24 passed, 1 skipped``."""
    outcomes = [result.outcome for result in results]
    numbers = {outcome: outcomes.count(outcome) for outcome in (PASSED, FAILED, SKIPPED)}
    return ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number) or "none"


def _of_role(nodeid: str, role: str) -> bool:
    """Whether a check is one of the role's own."""
    return nodeid.startswith(f"{FOLDER}/{role}/{CHECKS}/")


def _gap(nodeid: str, seen: str, wanted: str) -> CheckResult:
    check, address = name_of(nodeid)
    return CheckResult(check=check, address=address, outcome=FAILED, seconds=0, seen=seen, wanted=wanted)


def _failed(check: str, seen: str, wanted: str) -> CheckResult:
    return CheckResult(check=check, address="", outcome=FAILED, seconds=0, seen=seen, wanted=wanted)
