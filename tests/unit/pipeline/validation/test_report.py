"""What is left of a validation, whatever came of it; and what is taken out of it."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from pipeline import plans
from pipeline.errors import PipelineError
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.validation import redaction, report, validate
from tests.unit.pipeline.test_plans import GIVEN

TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"
SHADOW = "root:$6$" + "abcdefgh$" + "abcDEF12" * 10 + ":1:0:99999\n"
PLAN = plans.Validate(**GIVEN[plans.Validate])
GOOD = CheckResult(check="test_a.py::test_b", address="192.0.2.1", outcome=PASSED, seconds=1)


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    original = report.write

    def write(facts: Any, results: Any, ids: Any) -> tuple[str, str]:
        return original(facts, results, ids, folder=tmp_path)

    monkeypatch.setattr(report, "write", write)
    return tmp_path


def test_a_failure_has_a_report_and_a_second_run_another(reports: Path) -> None:
    for _ in range(2):
        with (
            pytest.raises(PipelineError, match="never came up"),
            validate.reported_on_failure(PLAN, [GOOD], {"192.0.2.1": "i-1"}),
        ):
            raise PipelineError("it never came up", seen=f"console: {TOKEN}")
    written = sorted(reports.glob("ami-1/*/report.json"))
    assert len(written) == 2
    for path in written:
        content = json.loads(path.read_text())
        assert (content["outcome"], content["imageId"]) == (FAILED, "ami-1")
        assert [check["machine"] for check in content["checks"]] == ["", "i-1"]
        assert TOKEN not in path.read_text()
        suite = ET.parse(path.with_name("junit.xml")).getroot()  # our own
        assert suite.attrib["failures"] == "1"
        assert [case.attrib["message"] for case in suite.iter("failure")] == ["it never came up"]


def test_a_fault_of_our_own_has_a_report_too(reports: Path) -> None:
    with pytest.raises(KeyError), validate.reported_on_failure(PLAN, [GOOD], {}):
        raise KeyError(TOKEN)
    (written,) = reports.glob("ami-1/*/report.json")
    assert json.loads(written.read_text())["error"] == "KeyError: '[aws-access-token]'"


def test_what_a_check_prints_of_a_machine_is_redacted() -> None:
    bad = CheckResult(
        check=f"test_x.py::test_shadow[{TOKEN}]",
        address="",
        outcome=FAILED,
        seconds=0,
        seen=repr(SHADOW),
        wanted=TOKEN,
    )
    clean, other = redaction.results([bad, GOOD])
    assert clean.check == "test_x.py::test_shadow[[aws-access-token]]"
    assert (clean.seen, clean.wanted) == (repr("root:[password-hash]:1:0:99999\n"), "[aws-access-token]")
    assert other == GOOD


def test_an_error_says_what_and_not_which_secret(capsys: pytest.CaptureFixture[str]) -> None:
    error = redaction.error(PipelineError("it failed", seen=f"fatal: {TOKEN}", change="the role"))
    assert str(error).splitlines() == [
        "it failed",
        "  seen:    fatal: [aws-access-token]",
        "  to do:   the role",
    ]
