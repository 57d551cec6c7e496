"""What a sweep adds up to, as a plugin of pytest (`-p tests.e2e.tally`): the cases by kind, and what went wrong."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

CASE, FINDING = "case", "finding"
"""Names of the properties that a test records: the kind of its case, and each thing of `FINDINGS` that it found."""

SILENT, HOLDERS, TRACEBACK, STUCK = "silent", "two holders", "tracebacks", "no way out"
FINDINGS = (SILENT, HOLDERS, TRACEBACK, STUCK)
"""A wrong end that looks right; a lookup by tag with two answers, or with another than the pointer's; a traceback in
place of one error; a channel that the printed way out does not put right."""

_started = time.monotonic()


def judge(record: Any, found: Iterable[tuple[str, object]]) -> None:
    """Record what was found, and fail if that is anything.

    Args:
        record: pytest's fixture `record_property`.
        found: Of `FINDINGS`, with what was seen; only those whose second half is true count.
    """
    wrong = [(kind, seen) for kind, seen in found if seen]
    for kind, _ in wrong:
        record(FINDING, kind)
    assert not wrong


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line a property."""
    cases, found = Counter[str](), Counter[str]()
    for report in (one for reports in terminalreporter.stats.values() for one in reports):
        if isinstance(report, pytest.TestReport) and report.when == "call":
            cases.update(str(value) for name, value in report.user_properties if name == CASE)
            found.update(str(value) for name, value in report.user_properties if name == FINDING)
    terminalreporter.section("sweep")
    for kind, count in sorted(cases.items()):
        terminalreporter.line(f"{kind}: {count}")
    terminalreporter.line(f"all cases: {cases.total()}")
    for kind in FINDINGS:
        terminalreporter.line(f"{kind}: {found[kind]}")
    terminalreporter.line(f"minutes: {(time.monotonic() - _started) / 60:.1f}")
