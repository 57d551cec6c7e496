"""A name in allowedSkips that allows nothing is named, with those that it may stand for."""

import pytest

from pipeline.results import FAILED, PASSED, SKIPPED, CheckResult
from pipeline.validation import allowances, completeness

COLLECTED = [
    "test_web.py::test_health[ssh://admin@192.0.2.1]",
    "test_web.py::test_port[ssh://admin@192.0.2.1-80]",
    "sub/test_gpu.py::TestCards::test_driver",
]
KEY = "accounts::authorized-key::deploy"


def result(check: str, outcome: str = PASSED) -> CheckResult:
    return CheckResult(check=check, address="", outcome=outcome, seconds=0)


FOUND = [
    result("test_web.py::test_health"),
    result("test_module.py", SKIPPED),
    result("test_broken.py", FAILED),
    result("accounts::password"),
    result(KEY, SKIPPED),
    result("floor::health"),
]


def unused(*names: str) -> dict[str, tuple[str, str]]:
    found = allowances.unused(dict.fromkeys(names, "why"), collected=COLLECTED, found=FOUND)
    return {one.check.removeprefix("allowed-skips::"): (one.outcome, one.seen) for one in found}


@pytest.mark.parametrize(
    "name",
    [
        "test_web.py::test_health", "test_web.py::test_port", "test_gpu.py::TestCards::test_driver", "test_module.py",
        KEY, "identity::between-machines", "test_broken.py::test_any",
    ],
)  # fmt: skip
def test_a_name_that_there_is(name: str) -> None:
    assert unused(name) == {}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("test_web.py::test_helth", "; did you mean test_web.py::test_health"),
        ("test_web.py::test_port[80]", "; did you mean test_web.py::test_port"),
        ("packer/checks/test_web.py::test_port", "; did you mean test_web.py::test_port"),
        ("accounts::authorised-key::deploy", f"; did you mean {KEY}?"),
        ("accounts::password", ""),
        ("floor::health", ""),
        ("secrets::private-key", ""),
    ],
)
def test_a_name_of_nothing_has_failed(name: str, near: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome, seen = unused(name)[name]
    assert outcome == FAILED
    assert seen.startswith(f"no check that may skip has this name{near}")
    assert bool(near) == ("did you mean" in seen)
    assert f"{name}: {seen}" in capsys.readouterr().err


def test_a_finding_that_is_gone_is_skipped() -> None:
    gone = "accounts::authorized-key::deployer"
    assert unused(gone)[gone] == (SKIPPED, f"there is no such finding to allow; did you mean {KEY}?")
    assert unused("identity::file::/etc/x")["identity::file::/etc/x"][0] == SKIPPED


def test_what_may_skip_may_skip_again_after_a_reboot() -> None:
    skipped = [result("after-reboot::test_gpu.py::test_driver[0]", SKIPPED)]
    (judged,) = completeness.without_skips(skipped, {"test_gpu.py::test_driver": "no card here"})
    assert judged.outcome == SKIPPED


def test_a_finding_of_a_file_whose_name_has_brackets_may_be_allowed() -> None:
    name = "identity::file::/etc/app/[id]"
    (judged,) = completeness.without_skips([result(name, SKIPPED)], {name: "one for all"})
    assert judged.outcome == SKIPPED
