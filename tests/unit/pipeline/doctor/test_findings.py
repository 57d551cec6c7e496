"""A finding that is not well says why and what to do; only a fail means not ready."""

import pytest

from pipeline.doctor.findings import Finding, Report, Status, Subject

SUBJECT = Subject("subnet", "stack dev")


@pytest.mark.parametrize("status", [Status.WARN, Status.FAIL])
@pytest.mark.parametrize(("cause", "cure"), [("", ""), ("why", ""), ("", "what")])
def test_no_finding_without_cause_and_cure(status: Status, cause: str, cure: str) -> None:
    with pytest.raises(ValueError, match="needs a cause and a cure"):
        Finding(check="a", about="b", status=status, seen="c", cause=cause, cure=cure)


def test_warnings_do_not_make_it_unready() -> None:
    report = Report((SUBJECT.ok("fine"), SUBJECT.warn("hm", cause="why", cure="what")))
    assert report.ready
    assert report.as_json() == {
        "ready": True,
        "ok": 1,
        "warn": 1,
        "fail": 0,
        "findings": [
            {
                "check": "subnet",
                "about": "stack dev",
                "status": "ok",
                "seen": "fine",
                "cause": "",
                "cure": "",
            },
            {
                "check": "subnet",
                "about": "stack dev",
                "status": "warn",
                "seen": "hm",
                "cause": "why",
                "cure": "what",
            },
        ],
    }


def test_a_fail_does() -> None:
    report = Report((SUBJECT.ok("fine"), SUBJECT.fail("gone", cause="why", cure="what")))
    assert not report.ready
    assert report.count(Status.FAIL) == 1
