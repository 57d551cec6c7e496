"""The outcome of each check, and what all of them come to.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.errors import PipelineError

NOT_CHECKED = "not checked"


class Status(StrEnum):
    """The weight of a finding. Only `FAIL` means that the account or the machine is not ready."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: The check, such as ``channel``.
        about: Its object: ``this machine``, an account and region, or a stack.
        status: Its weight.
        seen: The value seen.
        cause: Why that is wrong, or may be; empty only for `Status.OK`.
        cure: What to do about it; empty only for `Status.OK`.

    Raises:
        ValueError: A warning or a failure has no cause or no cure.
    """

    check: str
    about: str
    status: Status
    seen: str
    cause: str = ""
    cure: str = ""

    def __post_init__(self) -> None:
        if self.status is not Status.OK and not (self.cause and self.cure):
            raise ValueError(f"{self.check}: a warning or a failure needs a cause and a cure")


@dataclass(frozen=True)
class Subject:
    """One check of one object: makes its findings.

    Attributes:
        check: The check.
        about: Its object.
    """

    check: str
    about: str

    def ok(self, seen: str) -> Finding:
        """Nothing to do."""
        return Finding(check=self.check, about=self.about, status=Status.OK, seen=seen)

    def warn(self, seen: str, *, cause: str, cure: str) -> Finding:
        """This may be a problem."""
        return Finding(
            check=self.check, about=self.about, status=Status.WARN, seen=seen, cause=cause, cure=cure
        )

    def fail(self, seen: str, *, cause: str, cure: str) -> Finding:
        """An update would fail because of this."""
        return Finding(
            check=self.check, about=self.about, status=Status.FAIL, seen=seen, cause=cause, cure=cure
        )

    def failed(self, error: PipelineError) -> Finding:
        """The error that an update would end with, too."""
        cure = error.change or "see the cause"
        expected = f"\nexpected: {error.allowed}" if error.allowed else ""
        return self.fail(error.seen or error.what, cause=error.what, cure=f"{cure}{expected}")

    def not_checked(self, cause: str, cure: str) -> Finding:
        """The check could not be made."""
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
        """The number of findings with that status."""
        return sum(finding.status is status for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """For scripts: ``ready``, the number of findings by status, and the findings."""
        return {
            "ready": self.ready,
            **{status.value: self.count(status) for status in Status},
            "findings": [asdict(finding) for finding in self.findings],
        }
