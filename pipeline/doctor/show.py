"""The report for people."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import visible
from pipeline.doctor.findings import Status

if TYPE_CHECKING:
    from pipeline.doctor.findings import Finding, Report

WIDTH_WITHOUT_TERMINAL = 140
CHECKS_WIDTH = 24
_MARKS = {
    Status.OK: Text("ok", "green"),
    Status.WARN: Text("warn", "yellow"),
    Status.FAIL: Text("FAIL", "bold red"),
}


def show(report: Report) -> None:
    """Print a row a finding, with cause and cure, and the verdict last."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    table = Table(show_lines=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("check", max_width=CHECKS_WIDTH)
    table.add_column("what was seen", overflow="fold")
    about = ""
    for finding in report.findings:
        if finding.about != about:
            about = finding.about
            table.add_row("", Text(visible.one_line(about), "bold"), "")
        table.add_row(_MARKS[finding.status], finding.check, _cell(finding))
    console.print(table)
    console.print(Text(verdict(report), "bold"))


def verdict(report: Report) -> str:
    """The last line."""
    fails, warnings = report.count(Status.FAIL), report.count(Status.WARN)
    rest = f", {warnings} warning{'s' if warnings != 1 else ''}" if warnings else ""
    if report.ready:
        return f"ready{rest}"
    return f"not ready: {fails} failed check{'s' if fails != 1 else ''}{rest}"


def _cell(finding: Finding) -> Text:
    text = Text(visible.lines(finding.seen))
    for label, value in (("because", finding.cause), ("to do", finding.cure)):
        if value:
            text.append(f"\n{label + ':':<9}", "bold").append(
                visible.lines(value).replace("\n", "\n         ")
            )
    return text
