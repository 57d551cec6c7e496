"""Looks for secrets and for what one machine leaves behind in a booted machine's file system."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import secretscan
from pipeline.errors import PipelineError
from pipeline.secretscan import Finding
from pipeline.validation.results import FAILED, PASSED, CheckResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.secretscan import Allowed
    from pipeline.validation.access import Access
    from pipeline.validation.clones import Clone
    from pipeline.validation.deadline import Deadline

CHECK = "secrets"
KEYTAB_MAGIC = b"\x05\x02"  # MIT Kerberos, keytab file format
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours in memory, so that nothing of it gets to a disk

# What a machine makes for itself at boot, and cloud-init's copy of what EC2 told it: user data is no secret of ours.
COLLECT = r"""
cd /
find etc root home opt srv tmp var/tmp var/www var/lib/cloud var/lib/golden-image usr/local usr/lib/golden-image \
  \( -path etc/ssl/certs -o -path etc/ca-certificates -o -path etc/pki/ca-trust -o -path etc/selinux \
     -o -path 'etc/ssh/ssh_host_*' -o -path etc/ssh/moduli -o -path 'tmp/systemd-private-*' \
     -o -path 'var/tmp/systemd-private-*' -o -path 'var/lib/cloud/instances/*' -o -path 'tmp/.*-unix' \) -prune \
  -o -type f -size -1024 -print0 2>/dev/null | tar --null --files-from=- --create --ignore-failed-read 2>/dev/null
"""

SKELETON = (
    ".bashrc", ".bash_logout", ".bash_profile", ".profile", ".cshrc", ".tcshrc", ".zshrc",
    # What a login leaves on Ubuntu.
    ".cache/motd.legal-displayed", ".sudo_as_admin_successful",
)  # fmt: skip
"""What a home folder begins with; authorized_keys have a rule of their own."""

HISTORIES = (".bash_history", ".zsh_history", ".ash_history", ".python_history", ".lesshst", ".mysql_history")


def check(
    clone: Clone, *, access: Access, key: str, allowed: Sequence[Allowed], deadline: Deadline
) -> list[CheckResult]:
    """Scan one machine; one result for each finding, or one that says there is none.

    Args:
        clone: The machine.
        access: The way in.
        key: The public key that its user may have, as authorized_keys has it.
        allowed: What is forgiven.
        deadline: When to give up.

    Raises:
        PipelineError: The files could not be read.
    """
    started = deadline.elapsed()
    findings = secretscan.forgive(_findings(_collect(clone, access, deadline), key), allowed)
    seconds = round(deadline.elapsed() - started, 2)
    if not findings:
        return [
            CheckResult(check=f"{CHECK}::file-system", address=clone.address, outcome=PASSED, seconds=seconds)
        ]
    return [
        CheckResult(
            check=f"{CHECK}::{finding.rule.lower().replace(' ', '-')}",
            address=clone.address,
            outcome=FAILED,
            seconds=seconds,
            seen=f"/{finding}",
            wanted=f"not in an image; a false alarm goes into {secretscan.ALLOW_FILE} with its reason",
        )
        for finding in findings
    ]


def _collect(clone: Clone, access: Access, deadline: Deadline) -> bytes:
    try:
        done = access.read(
            clone.address, ["sudo", "sh"], stdin=COLLECT.encode(), timeout=deadline.remaining()
        )
    except subprocess.TimeoutExpired:
        done = None
    if done is None or not done.stdout:
        raise PipelineError(
            f"the file system of {clone} could not be read",
            seen=done.stderr.decode(errors="replace").strip() if done else "no answer in time",
            allowed="a user who may become root without a password",
            change="golden-image:validation.sshUser in the stack file",
        )
    return done.stdout


def _findings(archive: bytes, key: str) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="golden-image-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        root = Path(name)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = [member for member in tar if member.isreg()]
            for member in members:
                member.mode = 0o600
            tar.extractall(root, members=members, filter="data")
        files = [root / member.name for member in members]
        own = [finding for path in files for finding in _leftover(path.relative_to(root), path, key)]
        return sorted({*own, *secretscan.scan(root, files)})


def _leftover(name: Path, path: Path, key: str) -> list[Finding]:
    """What no scanner of texts knows: by the file's name, and by its first bytes."""
    text = name.as_posix()
    content = path.read_bytes()
    rule = None
    if content.startswith(KEYTAB_MAGIC) or name.suffix == ".keytab":
        rule = "Kerberos Keytab"
    elif name.name == ".netrc":
        rule = "Netrc"
    elif name.name in HISTORIES and content.strip():
        rule = "Shell History"
    elif name.name == "authorized_keys":
        extra = [line for line in content.decode(errors="replace").splitlines() if _is_foreign(line, key)]
        rule = "Authorized Key" if extra else None
    elif text.startswith(("tmp/", "var/tmp/")):
        rule = "Temporary File"
    elif _in_home(name) not in (None, *SKELETON) and name.name not in HISTORIES:
        rule = "Leftover File"
    return [Finding(text, 0, rule)] if rule else []


def _in_home(name: Path) -> str | None:
    """The path below a home folder; None for a file elsewhere."""
    parts = name.parts
    if parts[0] == "root":
        return "/".join(parts[1:])
    return "/".join(parts[2:]) if parts[0] == "home" else None


def _is_foreign(line: str, key: str) -> bool:
    """Whether a line of authorized_keys lets in anybody but the instance's own key."""
    words = line.strip()
    return bool(words) and not words.startswith("#") and key.split()[1] not in words
