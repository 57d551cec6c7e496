"""What a person sees of a failure: its checks, and what the machines have to say."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.machines.clones import say
from pipeline.scanning import gitleaks
from pipeline.validation.completeness import NO_RESULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.machines.clones import Clone, Clones
    from pipeline.machines.ssh import SshSession
    from pipeline.results import CheckResult

TABLE_WIDTH = 140
JOURNAL_LINES = 10
JOURNAL_READ = 60
"""Lines that are read to find that number of lines that are not the gate's own."""

JOURNAL_SECONDS = 10

_PROBES = re.compile(
    r" sshd(?:-session)?\[\d+\]: (?:error: )?(?:kex_exchange_identification|banner exchange): "
)
"""What a look at port 22 that does not log in leaves in the journal."""


def ordered(failed: Sequence[CheckResult]) -> list[CheckResult]:
    """Failures, the telling ones first: a check that did not run has failed for another one's sake."""
    return sorted(failed, key=lambda result: result.seen == NO_RESULT)


def line(result: CheckResult, machines: Sequence[Clone]) -> str:
    """One failure in one line: machine, check, seen, wanted."""
    where = next((f"{clone}: " for clone in machines if clone.address == result.address), "")
    wanted = f", wanted {result.wanted}" if result.wanted else ""
    return f"{where}{result.check}: {result.seen.splitlines()[0] if result.seen else ''}{wanted}"


def table(failed: Sequence[CheckResult], machines: Sequence[Clone]) -> None:
    """A table on stderr: check, machine, seen, wanted."""
    from rich.console import Console  # only a failure pays for it
    from rich.table import Table
    from rich.text import Text

    names = {clone.address: str(clone) for clone in machines}
    shown = Table(title="failed checks", title_justify="left")
    for column in ("check", "machine", "seen", "wanted"):
        shown.add_column(column, overflow="fold")
    for result in ordered(failed):
        cells = (result.check, names.get(result.address, "all"), result.seen, result.wanted)
        shown.add_row(*(Text(visible.lines(cell)) for cell in cells))
    Console(file=sys.stderr, width=TABLE_WIDTH).print(shown)


def console(clone: Clone, clones: Clones) -> None:
    """The last lines that a machine printed, without secrets."""
    text = clones.console(clone) or "(nothing yet; EC2 may be minutes behind)"
    say(f"{clone}: the last lines of its console:\n{gitleaks.redacted(text)}")


def journal(clone: Clone, access: SshSession) -> None:
    """The last errors of a machine's journal but those that the gate itself has caused, without secrets."""
    command = ["sudo", "journalctl", "-b", "-p", "err", "-n", str(JOURNAL_READ), "--no-pager", "-o", "short"]
    try:
        done = access.run(clone.address, command, timeout=JOURNAL_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"{clone}: no answer to the question for its journal within {JOURNAL_SECONDS} s")
        return
    lines = [one for one in done.stdout.splitlines() if not _PROBES.search(one)][-JOURNAL_LINES:]
    text = gitleaks.redacted("\n".join(lines).strip() or done.stderr.strip())
    say(f"{clone}: the last errors of its journal:\n{text}")
