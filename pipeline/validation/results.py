"""Results of checks as plain values, and the pytest plugin that hands them to the process that started pytest.

Used as `pytest -p pipeline.validation.results`: what is collected, what is selected, each result and the end go as one
line of JSON each to the file descriptor that GOLDEN_IMAGE_RESULTS names, as soon as they are known.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

DESCRIPTOR_VARIABLE = "GOLDEN_IMAGE_RESULTS"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
TEXT_LIMIT = 600

_HOST = re.compile(r"ssh://(?:[^@\]/]*@)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?-?")
"""Testinfra's parameter, such as ``ssh://admin@192.0.2.7``."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check on one machine.

    Attributes:
        check: File and function, such as ``test_web.py::test_health``, and its parameters, if it has some.
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


def name_of(nodeid: str) -> tuple[str, str]:
    """A check's name and the address of its machine, from pytest's id for both."""
    name, bracket, parameters = nodeid.partition("[")
    host = _HOST.search(parameters)
    others = _HOST.sub("", parameters.removesuffix("]")).removesuffix("-")
    name = name.rpartition("/")[2]
    return f"{name}[{others}]" if bracket and others else name, host[1] if host else ""


_compared: dict[str, tuple[str, str]] = {}
"""The last failed comparison of the running test: left and right."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """A check exists, whether it is selected or not."""
    roles = [str(name) for mark in item.iter_markers("role") for name in mark.args]
    _send({"item": item.nodeid, "roles": roles})


def pytest_collection_finish(session: pytest.Session) -> None:
    """These checks are to run."""
    _send({"selected": [item.nodeid for item in session.items]})


def pytest_sessionfinish(exitstatus: int) -> None:
    """All have run: nothing ended pytest from inside."""
    _send({"end": int(exitstatus)})


def pytest_assertrepr_compare(op: str, left: object, right: object) -> None:
    """Keep what a failed comparison saw and wanted; pytest's own explanation stays as it is."""
    wanted = repr(right) if op == "==" else f"{op} {right!r}"
    _compared["now"] = (_short(repr(left)), _short(wanted))


def pytest_runtest_logstart(nodeid: str) -> None:
    """A new test: no comparison yet."""
    _compared.clear()
    _send({"begun": nodeid})


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
    check, address = name_of(report.nodeid)
    result = CheckResult(
        check=check,
        address=address,
        outcome=report.outcome,
        seconds=round(report.duration, 2),
        seen=seen,
        wanted=wanted,
    )
    _send({"result": asdict(result), "of": report.nodeid})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file of checks that cannot be read is a failed check."""
    if report.failed:
        check = report.nodeid.rpartition("/")[2]
        seen = _short(report.longreprtext, end=True)
        result = CheckResult(check=check, address="", outcome=FAILED, seconds=0, seen=seen)
        _send({"result": asdict(result), "of": report.nodeid})
    elif report.skipped:
        # A whole module that skips itself has no items to miss.
        result = CheckResult(
            check=report.nodeid.rpartition("/")[2],
            address="",
            outcome=SKIPPED,
            seconds=0,
            seen=_message(report),
        )
        _send({"result": asdict(result), "of": report.nodeid})


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr: Any = report.longrepr
    if isinstance(longrepr, tuple):
        return _short(str(longrepr[2]))
    crash = getattr(longrepr, "reprcrash", None)
    return _short(crash.message if crash else str(longrepr))


def _short(text: str, *, end: bool = False) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return "…" + text[-TEXT_LIMIT:] if end else text[:TEXT_LIMIT] + "…"


def _send(frame: dict[str, Any]) -> None:
    os.write(int(os.environ[DESCRIPTOR_VARIABLE]), (json.dumps(frame) + "\n").encode())
