"""All checks run; what could not be checked is a finding; the report is for people too."""

import subprocess
from collections.abc import Iterable

import pytest
from botocore import exceptions as boto

from pipeline.doctor import run, show
from pipeline.doctor.findings import Finding, Report, Status, Subject
from pipeline.errors import PipelineError

SUBJECT = Subject("quota", "stack dev")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            boto.ClientError({"Error": {"Code": "AccessDenied", "Message": "m"}}, "GetX"),
            "the identity may not look this up",
        ),
        (boto.ClientError({"Error": {"Code": "InternalError", "Message": "m"}}, "GetX"), "out of order"),
        (boto.ConnectTimeoutError(endpoint_url="http://x"), "http://x"),
        (PipelineError("it is broken", seen="this"), "it is broken: this"),
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


def test_an_error_of_our_own_is_not_hidden() -> None:
    def wrong() -> Iterable[Finding]:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        run.run([run.Check(SUBJECT, wrong)])


def test_the_report_on_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [Subject(check, "stack dev").not_checked("no credentials", "see credentials") for check in "ab"]
    show.show(Report((SUBJECT.ok("fine"), SUBJECT.fail("gone [x]", cause="why", cure="what"), *skipped)))
    said = capsys.readouterr().out
    assert "gone [x]" in said
    assert "because: why" in said
    assert "to do:   what" in said
    assert said.count("no credentials") == 1, "one line for all that wait for the same"
    assert "a, b" in said
    assert said.rstrip().endswith("not ready: 1 thing to put right, 2 warnings")
