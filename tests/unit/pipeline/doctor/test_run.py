"""All checks run; what could not be checked is a finding; the report is for people too."""

import subprocess
from collections.abc import Iterable

import pytest

from pipeline.doctor import run, show
from pipeline.doctor.findings import Finding, Report, Status, Subject
from pipeline.errors import PipelineError

SUBJECT = Subject("channel", "stack dev")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (subprocess.TimeoutExpired(["pulumi", "whoami"], 30), "30 seconds"),
        (OSError("no such file"), "no such file"),
    ],
)
def test_a_check_that_could_not_be_made(error: Exception, cause: str) -> None:
    def fails() -> Iterable[Finding]:
        raise error

    before, finding, after = run.run(
        [
            run.Check(SUBJECT, lambda: [SUBJECT.ok("first")]),
            run.Check(SUBJECT, fails),
            run.Check(SUBJECT, lambda: [SUBJECT.ok("last")]),
        ]
    )
    assert (before.seen, after.seen) == ("first", "last")
    assert (finding.status, finding.seen) == (Status.WARN, "not checked")
    assert cause in finding.cause


def test_an_error_that_an_update_would_meet_too_is_a_failure() -> None:
    def fails() -> Iterable[Finding]:
        raise PipelineError("AWS refused to look subnets up", seen="AccessDenied", allowed="a", change="iam/")

    [finding] = run.run([run.Check(SUBJECT, fails)])
    assert finding == SUBJECT.fail(
        "AccessDenied", cause="AWS refused to look subnets up", cure="iam/\nexpected: a"
    )


def test_an_error_of_our_own_is_not_hidden() -> None:
    def wrong() -> Iterable[Finding]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run.run([run.Check(SUBJECT, wrong)])


def test_the_report_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = SUBJECT.not_checked("too slow", "by hand")
    show.show(Report((SUBJECT.ok("fine"), SUBJECT.fail("gone [x]", cause="why", cure="what"), skipped)))
    said = capsys.readouterr().out
    assert "gone [x]" in said
    assert "because: why" in said
    assert "to do:   what" in said
    assert said.rstrip().endswith("not ready: 1 failed check, 1 warning")
