"""What a check has found, and what it comes to.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NOT_CHECKED = "not checked"


class Status(StrEnum):
    """How a finding weighs. Only `FAIL` means that the account or the machine is not ready."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: What was looked at, such as ``subnet``.
        about: Whose: ``this machine``, an account and region, or a stack.
        status: How it weighs.
        seen: What was seen.
        cause: Why that is wrong, or may be; empty only for `Status.OK`.
        cure: What to do about it; empty only for `Status.OK`.

    Raises:
        ValueError: A finding that is not well gives no cause or no cure.
    """

    check: str
    about: str
    status: Status
    seen: str
    cause: str = ""
    cure: str = ""

    def __post_init__(self) -> None:
        if self.status is not Status.OK and not (self.cause and self.cure):
            raise ValueError(f"{self.check}: a finding that is not well needs a cause and a cure")


@dataclass(frozen=True)
class Subject:
    """One check of one thing: what its findings are about.

    Attributes:
        check: What is looked at.
        about: Whose.
    """

    check: str
    about: str

    def ok(self, seen: str) -> Finding:
        """It is well."""
        return Finding(check=self.check, about=self.about, status=Status.OK, seen=seen)

    def warn(self, seen: str, *, cause: str, cure: str) -> Finding:
        """It may be a problem, or could not be told."""
        return Finding(
            check=self.check, about=self.about, status=Status.WARN, seen=seen, cause=cause, cure=cure
        )

    def fail(self, seen: str, *, cause: str, cure: str) -> Finding:
        """An update would fail because of it."""
        return Finding(
            check=self.check, about=self.about, status=Status.FAIL, seen=seen, cause=cause, cure=cure
        )

    def not_checked(self, cause: str, cure: str) -> Finding:
        """It could not be looked at: something else is in the way."""
        return self.warn(NOT_CHECKED, cause=cause, cure=cure)


@dataclass(frozen=True)
class Report:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing failed; warnings do not count."""
        return self.count(Status.FAIL) == 0

    def count(self, status: Status) -> int:
        """How many findings have that status."""
        return sum(finding.status is status for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For scripts: ``ready``, the number of findings by status, and the findings."""
        return {
            "ready": self.ready,
            **{status.value: self.count(status) for status in Status},
            "findings": [asdict(finding) for finding in self.findings],
        }
