"""The report for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import visible
from pipeline.doctor.findings import NOT_CHECKED, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.doctor.findings import Finding, Report

WIDTH_WITHOUT_TERMINAL = 140
CHECKS_WIDTH = 24
_MARKS = {
    Status.OK: Text("ok", "green"),
    Status.WARN: Text("warn", "yellow"),
    Status.FAIL: Text("FAIL", "bold red"),
}


def show(report: Report) -> None:
    """Print it: a row a finding, what is wrong with its cause and cure, and the verdict last."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    table = Table(show_lines=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("check", max_width=CHECKS_WIDTH)
    table.add_column("what was seen", overflow="fold")
    about = ""
    for group in _grouped(report.findings):
        first = group[0]
        if first.about != about:
            about = first.about
            table.add_row("", Text(visible.one_line(about), "bold"), "")
        table.add_row(_MARKS[first.status], ", ".join(one.check for one in group), _cell(first))
    console.print(table)
    console.print(Text(verdict(report), "bold"))


def verdict(report: Report) -> str:
    """The last line."""
    fails, warnings = report.count(Status.FAIL), report.count(Status.WARN)
    rest = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    if report.ready:
        return f"ready{rest}"
    return f"not ready: {fails} thing{'s' if fails != 1 else ''} to put right{rest}"


def _grouped(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """One after the other; those that could not be checked for one reason together."""
    group: list[Finding] = []
    for finding in findings:
        if group and not (
            finding.seen == NOT_CHECKED == group[0].seen
            and (finding.about, finding.cause) == (group[0].about, group[0].cause)
        ):
            yield group
            group = []
        group.append(finding)
    if group:
        yield group


def _cell(finding: Finding) -> Text:
    text = Text(visible.lines(finding.seen))
    for label, value in (("because", finding.cause), ("to do", finding.cure)):
        if value:
            text.append(f"\n{label + ':':<9}", "bold").append(
                visible.lines(value).replace("\n", "\n         ")
            )
    return text
