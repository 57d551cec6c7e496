"""Looks for secrets and for what one machine leaves behind in a booted machine's file system.

Looked at is every file of its disk that no package owns as it brought it (`collector`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.machines import onmachine
from pipeline.machines.clones import say
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.scanning import gitleaks, secretscan, structure
from pipeline.scanning.machinefiles import NPM, Batch, Batches
from pipeline.scanning.secretscan import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline
    from pipeline.machines.ssh import SshSession
    from pipeline.scanning.machinefiles import MachineFile
    from pipeline.scanning.secretscan import Allowed

CHECK = "secrets"

LONGEST_LOOKED_AT = 1 << 20
"""Of a file that a rule by name reads: in bytes."""


def check(
    clone: Clone, *, access: SshSession, key: str, allowed: Sequence[Allowed], deadline: Deadline
) -> list[CheckResult]:
    """Scan one machine; one result for each finding, or a passed one.

    Args:
        clone: The machine.
        access: The way in.
        key: The public key that its user may have, as authorized_keys has it.
        allowed: What is forgiven.
        deadline: When to give up.

    Raises:
        PipelineError: The files could not be read, or not in time.
    """
    started = deadline.elapsed()
    scan = Scan(lambda file, text: structure.rules(file, text, key), deadline)
    looked_at = ""

    def progress(done: int, of: int) -> None:
        nonlocal looked_at
        looked_at = f"{done} of {of} files"
        say(f"{clone}: scanned {looked_at}")

    batches = Batches(scan.look, progress)
    try:
        with access.stream(
            clone.address, onmachine.COMMAND, stdin=onmachine.program("collector"), deadline=deadline
        ) as chunks:
            totals = batches.run(chunks)
    except TimeoutError:
        raise PipelineError(
            f"the scan of {clone} for secrets did not end within {deadline.seconds:.0f} s",
            seen=looked_at or "no file yet",
            change="golden-image:validation.timeoutSeconds in the stack file",
        ) from None
    scan.findings.update(Finding(path, 0, "Unreadable File") for path in totals.unreadable)
    findings = secretscan.forgive(sorted(scan.findings), allowed)
    seconds = round(deadline.elapsed() - started, 2)
    say(
        f"{clone}: {totals.files} files; {totals.owned} are as a package brought them, "
        f"the others hold {len(findings) or 'no'} findings ({seconds:.1f} s, of which the machine "
        f"worked {totals.worked:.1f} s)"
    )
    if not findings:
        return [
            CheckResult(check=f"{CHECK}::file-system", address=clone.address, outcome=PASSED, seconds=seconds)
        ]
    return [
        CheckResult(
            check=f"{CHECK}::{secretscan.slug(finding.rule)}",
            address=clone.address,
            outcome=FAILED,
            seconds=seconds,
            seen=f"/{finding}",
            wanted=f"not in an image; a false alarm goes into {secretscan.ALLOW_FILE} with its reason",
        )
        for finding in findings
    ]


class Scan:
    """The findings of a machine, batch by batch.

    Args:
        rules: The names of the rules, other than gitleaks', that a file with this text breaks.
        deadline: When to give up.
    """

    def __init__(self, rules: Callable[[MachineFile, bytes], Iterable[str]], deadline: Deadline) -> None:
        self._rules = rules
        self._deadline = deadline
        self.findings: set[Finding] = set()

    def look(self, batch: Batch) -> None:
        """Add the findings of a batch.

        Raises:
            PipelineError: It could not be scanned.
        """
        for name, file in batch.files.items():
            with (batch.root / name).open("rb") as source:
                content = source.read(LONGEST_LOOKED_AT)
            self.findings.update(Finding(file.path, 0, rule) for rule in self._rules(file, content))
        first = next(iter(batch.files), None)
        for finding in self._recognised(batch):
            file = batch.files[finding.file]
            line = finding.line - 1 + (batch.earlier if finding.file == first else 0)
            self.findings.add(Finding(file.path, 0 if file.binary else line, finding.rule))

    def _recognised(self, batch: Batch) -> Iterator[Finding]:
        yield from gitleaks.scan(batch.root, timeout=self._deadline.remaining())
        npm = batch.root / NPM
        if npm.exists():
            for found in gitleaks.scan(npm, timeout=self._deadline.remaining(), rules=gitleaks.NPM_RULES):
                yield replace(found, file=f"{NPM}/{found.file}")
