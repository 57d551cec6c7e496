"""The step from its plan to its verdict; the machines are this one."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone, Clones
from pipeline.machines.ssh import SshSession
from pipeline.promote import settle
from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult
from pipeline.scanning import imagescan
from pipeline.validation import accounts, floor, keygen, pytest_run, report, show, validate
from pipeline.validation.completeness import Run
from pipeline.validation.gate import Gate

CLONES = [Clone("i-1", "192.0.2.1"), Clone("i-2", "192.0.2.2")]
IMAGE = "ami-0123456789abcdef0"


def result(check: str, clone: Clone, outcome: str = PASSED, seen: str = "") -> CheckResult:
    return CheckResult(check=check, address=clone.address, outcome=outcome, seconds=0, seen=seen)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    @contextlib.contextmanager
    def powered(self: Clones, deadline: Any) -> Iterator[list[Clone]]:
        yield CLONES

    monkeypatch.setattr(Clones, "powered", powered)
    monkeypatch.setattr(Clones, "console", lambda self, clone, lines=None: "it booted")
    monkeypatch.setattr(SshSession, "__enter__", lambda self: self)
    monkeypatch.setattr(SshSession, "__exit__", lambda self, *error: None)
    monkeypatch.setattr(validate, "_come_up", lambda clone, *others: 1.0)
    monkeypatch.setattr(show, "journal", lambda clone, access: None)
    monkeypatch.setattr(settle, "withdraw", lambda *names, **options: None)
    monkeypatch.setattr(Gate, "_identity", lambda self, machines: [])
    monkeypatch.setattr(Gate, "later", lambda self, machines, found: None)
    monkeypatch.setattr(imagescan, "check", lambda clone, **options: [result("secrets::file-system", clone)])
    monkeypatch.setattr(accounts, "check", lambda clone, **options: [result("accounts::password", clone)])
    monkeypatch.setattr(floor, "check", lambda clone, **options: [result("floor::ssh", clone)])
    original = report.write
    monkeypatch.setattr(report, "write", lambda facts, found, ids: original(facts, found, ids, tmp_path))
    return {
        "region": "eu-west-1",
        "role": "web",
        "user": "admin",
        "address": "private",
        "suite": "s" * 32,
        "timeoutSeconds": 60,
        "healthWaitSeconds": 5,
        "soakSeconds": 0,
        "reboot": False,
        "imageId": IMAGE,
        "instanceIds": [clone.id for clone in CLONES],
        "privateKey": keygen.run({"imageId": IMAGE})["privateKey"],
        "folder": str(tmp_path),
    }


def let_checks_be(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    def run(clones: list[Clone], **options: Any) -> Run:
        done = Run(
            roles={f"roles/web/checks/test_web.py::test_health[ssh://admin@{clones[0].address}]": ("web",)}
        )
        done.results.append(result("test_web.py::test_health", clones[0], outcome, seen="why"))
        return done

    monkeypatch.setattr(pytest_run, "run", run)


def reports(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in Path(plan["folder"]).glob(f"{IMAGE}/*/report.json")]


def test_a_good_image(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_checks_be(monkeypatch, PASSED)
    verdict = validate.run(plan)
    written = reports(plan)
    assert [one["outcome"] for one in written] == [PASSED]
    assert verdict["validatedAt"] == written[0]["validatedAt"]
    assert verdict["checks"] == len(written[0]["checks"]) == 8
    assert "8 passed on 2 machines" in capsys.readouterr().err


@pytest.mark.parametrize("outcome", [FAILED, SKIPPED])
def test_one_that_failed_or_proved_nothing(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    let_checks_be(monkeypatch, outcome)
    with pytest.raises(PipelineError, match="test_health") as caught:
        validate.run(plan)
    assert "(4 passed, 4 failed)" in caught.value.what
    assert [one["outcome"] for one in reports(plan)] == [FAILED]


def test_a_skip_that_is_allowed_is_counted_as_one(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    let_checks_be(monkeypatch, SKIPPED)
    allowed = {"allowedSkips": {"test_web.py::test_health": "no web server"}, "smokeTest": "true"}
    validate.run({**plan, **allowed})
    assert "7 passed, 2 skipped on 2 machines" in capsys.readouterr().err


def test_an_allowance_of_a_name_that_no_check_has(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    let_checks_be(monkeypatch, PASSED)
    with pytest.raises(PipelineError, match="test_helth") as caught:
        validate.run({**plan, "allowedSkips": {"test_web.py::test_helth": "no web server"}})
    assert "allowed-skips::test_web.py::test_helth: no check that may skip" in str(caught.value)
    assert "did you mean test_web.py::test_health?" in str(caught.value)
    (written,) = reports(plan)
    failed = [check["check"] for check in written["checks"] if check["outcome"] == FAILED]
    assert failed == ["allowed-skips::test_web.py::test_helth"]


def test_what_could_not_be_run_keeps_the_other_results(
    plan: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(clones: list[Clone], **options: Any) -> Run:
        raise PipelineError("the checks did not end within 60 s")

    monkeypatch.setattr(pytest_run, "run", run)
    with pytest.raises(PipelineError, match="did not end within 60 s"):
        validate.run(plan)
    (written,) = reports(plan)
    assert [check["check"] for check in written["checks"]] == [
        "validation",
        "accounts::password",
        "secrets::file-system",
    ]
