"""What a scan for secrets finds, and what of it a project's allow-list forgives.

A finding names file, line and rule. The secret itself is in no finding, so it gets into no log, error or state.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALLOW_FILE = Path("packer/secrets-allowed.yaml")

FORMER = {
    "aws-access-key": ("aws-access-token",),
    "basic-auth-credentials": ("basic-auth",),
    "github-token": ("github-pat",),
    "gitlab-token": ("gitlab-pat",),
    "json-web-token": ("jwt",),
    "secret-keyword": ("generic-api-key", "password"),
    "slack-token": ("slack-bot-token",),
}
"""Names that allow-lists may still have, and what these rules are called now."""


@dataclass(frozen=True, order=True)
class Finding:
    """A secret, or what looks like one.

    Attributes:
        file: Its path, relative to what was scanned.
        line: Line number, from 1; 0 for a finding about the whole file.
        rule: What was recognised, such as ``private-key``.
    """

    file: str
    line: int
    rule: str

    def __str__(self) -> str:
        """File, line and rule."""
        return f"{self.file}:{self.line}: {self.rule}" if self.line else f"{self.file}: {self.rule}"


@dataclass(frozen=True)
class Allowed:
    """An entry of the allow-list.

    Attributes:
        file: A path, or a pattern with ``*``.
        rule: The rule that is forgiven there.
        reason: Why.
    """

    file: str
    rule: str
    reason: str


def forgive(findings: Sequence[Finding], allowed: Sequence[Allowed]) -> list[Finding]:
    """Those findings that no entry of the allow-list covers."""
    return [finding for finding in findings if not any(_covers(entry, finding) for entry in allowed)]


def _covers(entry: Allowed, finding: Finding) -> bool:
    named = slug(entry.rule)
    rules = (named, *FORMER.get(named, ()))
    return slug(finding.rule) in rules and fnmatch.fnmatchcase(finding.file, entry.file)


def slug(rule: str) -> str:
    """A rule's name as the checks write it, such as ``private-key``."""
    return rule.lower().replace(" ", "-")


def read_allowed(path: Path = ALLOW_FILE) -> list[Allowed]:
    """The allow-list; empty if there is no such file.

    Raises:
        PipelineError: It is not a list of entries with file, rule and reason.
    """
    if not path.exists():
        return []
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entries: Any = YAML(typ="safe").load(path) or []
        return list(_entries(entries))
    except (YAMLError, TypeError, ValueError) as error:
        raise PipelineError(
            "the allow-list of secrets cannot be read",
            seen=str(error),
            allowed="a list of entries with the keys file, rule and reason, none of them empty, none for every file",
            change=str(path),
        ) from error


def _entries(entries: Any) -> Iterator[Allowed]:
    if not isinstance(entries, list):
        raise TypeError(f"{type(entries).__name__}, not a list")
    for entry in entries:
        if not isinstance(entry, dict) or set(entry) != {"file", "rule", "reason"} or not all(entry.values()):
            raise ValueError(f"{entry!r}")
        if not re.search(r"\w", str(entry["file"])):
            raise ValueError(f"file: {entry['file']!r} forgives every file")
        yield Allowed(**{key: str(value) for key, value in entry.items()})
