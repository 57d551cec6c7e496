"""The pytest plugin that hands results to the process that started pytest.

Used as `pytest -p pipeline.validation.pytest_plugin`: what is collected, what is selected, each result and the end go
as one line of JSON each to the file descriptor that GOLDEN_IMAGE_RESULTS names, as soon as they are known.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.results import DESCRIPTOR_VARIABLE, FAILED, PASSED, SKIPPED, CheckResult, name_of

if TYPE_CHECKING:
    from collections.abc import Generator

TEXT_LIMIT = 600

_PLACE = re.compile(r"""^(?:E +File "|)([^\s":]+\.py)(?:", line |:)(\d+)(?::|$)""", re.MULTILINE)
"""A line of a file in a traceback of pytest's, or in a syntax error."""

_DESCRIPTOR = int(os.environ.pop(DESCRIPTOR_VARIABLE))
# What checks start does not keep it open.
os.set_inheritable(_DESCRIPTOR, False)

_compared: dict[str, tuple[str, str]] = {}
"""The last failed comparison of the running test: left and right."""


_raised: set[str] = set()
"""Ids of tests that raised something in one of their phases, whatever a hook makes of their reports."""


def pytest_collectstart(collector: pytest.Collector) -> None:
    """A file is read now."""
    _send({"begun": collector.nodeid})


def pytest_itemcollected(item: pytest.Item) -> None:
    """A check exists, whether it is selected or not."""
    roles = [str(name) for mark in item.iter_markers("role") for name in mark.args]
    _send({"item": item.nodeid, "roles": roles})


def pytest_collection_finish(session: pytest.Session) -> None:
    """These checks are to run."""
    _send({"begun": ""})
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


def pytest_runtest_logfinish() -> None:
    """Between two tests."""
    _send({"begun": ""})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """See what has really come of a phase, before other hooks make something else of it."""
    if call.excinfo is not None:
        _raised.add(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Hand a result on: the call's, or that of the fixture which kept it from happening."""
    if report.when != "call" and report.passed:
        return
    if report.when == "teardown" and not report.failed:
        return
    seen, wanted, outcome = "", "", str(report.outcome)
    if outcome not in (PASSED, FAILED, SKIPPED) or (report.passed and report.nodeid in _raised):
        seen, wanted = f"it has raised, and is reported as {outcome}", "the outcome that pytest comes to"
        outcome = FAILED
    elif report.failed:
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
        outcome=outcome,
        seconds=round(report.duration, 2),
        seen=seen,
        wanted=wanted,
    )
    _send({"result": asdict(result), "of": report.nodeid})


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file of checks that cannot be read is a failed check."""
    if report.failed:
        check = report.nodeid.rpartition("/")[2]
        seen = _short(unreadable(report.longreprtext), end=True)
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


def unreadable(text: str) -> str:
    """Pytest's words for a file that it cannot read, with what is wrong and the line first."""
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    places = _PLACE.findall(text)
    if not errors:
        return text
    where = "".join(f" ({name.rpartition('/')[2]}, line {number})" for name, number in places[-1:])
    return f"{errors[-1]}{where}"


def _message(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr: Any = report.longrepr
    if isinstance(longrepr, tuple):
        return _short(str(longrepr[2]))
    crash = getattr(longrepr, "reprcrash", None)
    return _short(crash.message if crash else unreadable(str(longrepr)))


def _short(text: str, *, end: bool = False) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return "…" + text[-TEXT_LIMIT:] if end else text[:TEXT_LIMIT] + "…"


def _send(frame: dict[str, Any]) -> None:
    os.write(_DESCRIPTOR, (json.dumps(frame) + "\n").encode())
