"""Looks for secrets in what an image is made from and judged by: the same rules as on its machines."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.baking.sources import source_files
from pipeline.errors import PipelineError
from pipeline.machines.deadline import Deadline
from pipeline.probes import collector
from pipeline.scanning import secretscan, structure
from pipeline.scanning.imagescan import Scan
from pipeline.scanning.machinefiles import Batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.scanning.secretscan import Allowed, Finding

SECONDS = 120.0
READ_AT_ONCE = 1 << 16

ENCRYPTED = re.compile(r"""(?m)^(.*\bsecure["']?\s*:|encrypt(?:ionsalt|edkey)\s*:).*$""")
"""What Pulumi encrypted in a stack file, and how."""


def scan_sources(folder: Path, role: str, allowed: Sequence[Allowed]) -> list[Finding]:
    """Findings in all that a bake of the role reads and in its checks: template, playbook, roles, scripts.

    Raises:
        PipelineError: They could not be scanned.
    """
    return secretscan.forgive(_scan(source_files(folder, role)), allowed)


def scan_config(folder: Path, allowed: Sequence[Allowed]) -> list[Finding]:
    """Findings in the files of the project and of its stacks; what is encrypted in them does not count.

    Raises:
        PipelineError: They could not be scanned.
    """
    with tempfile.TemporaryDirectory(prefix="golden-image-") as copies:
        files = []
        for path in sorted(folder.glob("Pulumi*.yaml")):
            text = path.read_text(encoding="utf-8", errors="replace")
            copy = Path(copies) / path.name
            copy.write_text(ENCRYPTED.sub(r"\1", text), encoding="utf-8")
            files.append((path.name, copy))
        return secretscan.forgive(_scan(files), allowed)


def refuse_in_config(folder: Path) -> None:
    """Look for secrets in stack config, which a preview prints. A stack that bakes does, for all of them.

    Raises:
        PipelineError: There are some; it names file, line and rule, and not the secret.
    """
    findings = scan_config(folder, secretscan.read_allowed())
    if findings:
        raise PipelineError(
            "there is a secret in stack config, readable for everybody who sees the repository",
            seen="\n".join(map(str, findings)),
            allowed="the name or ARN of a secret, which machines read at run time (instance role, secret manager)",
            change="take it out, and rotate it if it is real; a false alarm: an entry in packer/secrets-allowed.yaml",
        )


def _scan(files: Iterable[tuple[str, Path]]) -> list[Finding]:
    scan = Scan(structure.kind, Deadline(SECONDS))
    with tempfile.TemporaryFile() as stream:
        sender = collector.Sender(stream)
        for name, path in files:
            sender.file(str(path), name)
        sender.end(0, 0, [])
        stream.seek(0)
        Batches(scan.look, lambda _done, _of: None).run(iter(lambda: stream.read(READ_AT_ONCE), b""))
    return sorted(scan.findings)
