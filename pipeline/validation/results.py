"""Results of checks as plain values, and the pytest plugin that hands them to whoever started pytest.

Used as `pytest -p pipeline.validation.results`: each result goes as one line of JSON to the file descriptor that
GOLDEN_IMAGE_RESULTS names, as soon as it is there.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

DESCRIPTOR_VARIABLE = "GOLDEN_IMAGE_RESULTS"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TEXT_LIMIT = 600


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check on one machine.

    Attributes:
        check: File and function, such as ``test_web.py::test_health``.
        address: The machine's address; empty for a check that looks at none or at all of them.
        outcome: ``passed``, ``failed`` or ``skipped``.
        seconds: How long it took.
        seen: What was found, for a failure.
        wanted: What should have been found, where the check compares two values.
    """

    check: str
    address: str
    outcome: str
    seconds: float
    seen: str = ""
    wanted: str = ""


def parse(line: str) -> CheckResult:
    """A result from its line of JSON."""
    return CheckResult(**json.loads(line))


_compared: dict[str, tuple[str, str]] = {}
"""The last failed comparison of the running test: left and right."""


def pytest_assertrepr_compare(op: str, left: object, right: object) -> None:
    """Keep what a failed comparison saw and wanted; pytest's own explanation stays as it is."""
    wanted = repr(right) if op == "==" else f"{op} {right!r}"
    _compared["now"] = (_short(repr(left)), _short(wanted))


def pytest_runtest_logstart() -> None:
    """A new test: no comparison yet."""
    _compared.clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Hand a result on: the call's, or that of the fixture which kept it from happening."""
    if report.when != "call" and report.passed:
        return
    if report.when == "teardown" and not report.failed:
        return
    seen, wanted = "", ""
    if report.failed:
        seen, wanted = _compared.get("now", ("", ""))
        message = _message(report)
        # A comparison inside a helper that was caught is not why the test failed.
        if not (seen and "assert" in message):
            seen, wanted = message, ""
    elif report.skipped:
        seen = _message(report)
    name, _, parameter = report.nodeid.partition("[")
    _send(
        CheckResult(
            check=name.rpartition("/")[2],
            address=_address(parameter.removesuffix("]")),
            outcome=report.outcome,
            seconds=round(report.duration, 2),
            seen=seen,
            wanted=wanted,
        )
    )


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file of checks that cannot be read is a failed check."""
    if report.failed:
        name = report.nodeid.rpartition("/")[2]
        _send(
            CheckResult(
                check=name, address="", outcome=FAILED, seconds=0, seen=_short(report.longreprtext, end=True)
            )
        )


def _address(parameter: str) -> str:
    """From testinfra's parameter, such as ``ssh://admin@192.0.2.7``."""
    return parameter.rpartition("@")[2].removeprefix("ssh://").partition(":")[0] if parameter else ""


def _message(report: pytest.TestReport) -> str:
    longrepr: Any = report.longrepr
    if isinstance(longrepr, tuple):
        return _short(str(longrepr[2]))
    crash = getattr(longrepr, "reprcrash", None)
    return _short(crash.message if crash else str(longrepr))


def _short(text: str, *, end: bool = False) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return "…" + text[-TEXT_LIMIT:] if end else text[:TEXT_LIMIT] + "…"


def _send(result: CheckResult) -> None:
    line = json.dumps(asdict(result)) + "\n"
    os.write(int(os.environ[DESCRIPTOR_VARIABLE]), line.encode())
