"""The linters, all of them and one by one: by `make lint` and before a commit."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tools import checks

HOOKS = yaml.safe_load((checks.PROJECT / ".pre-commit-config.yaml").read_text())["repos"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """Notes what would run; the first check fails."""
    ran: list[list[str]] = []

    def note(argv: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append([*argv])
        return subprocess.CompletedProcess(argv, int(len(ran) == 1), "what is wrong\n", "")

    monkeypatch.setattr(subprocess, "run", note)
    return ran


def test_all_run_though_one_fails(run: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert checks.main([]) == 1
    assert [tuple(check) for check in run] == list(checks.CHECKS)
    told = capsys.readouterr().out
    assert told.count("FAIL ") == 1
    assert "what is wrong" in told


def test_those_of_one_program(run: list[list[str]]) -> None:
    checks.main(["packer"])
    assert {check[0] for check in run} == {"packer"}
    checks.main(["mypy"])
    assert run[-1][0] == "mypy"


def test_a_program_that_has_no_check(run: list[list[str]]) -> None:
    with pytest.raises(SystemExit, match="no check runs flake8"):
        checks.main(["flake8"])
    assert run == []


def test_each_linter_has_its_hook_and_nothing_is_downloaded() -> None:
    assert [one["repo"] for one in HOOKS] == ["local"]
    (hooks,) = (one["hooks"] for one in HOOKS)
    assert {hook["language"] for hook in hooks} == {"system"}
    entries = {hook["id"]: hook["entry"] for hook in hooks}
    assert entries == {
        program: f".venv/bin/python -m tools.checks {program}"
        for program in {one[0] for one in checks.CHECKS}
    }


def test_each_hook_is_for_files_that_there_are() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=checks.PROJECT, capture_output=True, text=True, check=True
    )
    for hook in HOOKS[0]["hooks"]:
        assert any(re.search(hook["files"], name) for name in listed.stdout.splitlines()), hook["id"]
    shell = next(hook["files"] for hook in HOOKS[0]["hooks"] if hook["id"] == "shellcheck")
    assert all(re.search(shell, name) for name in checks.SHELL_SCRIPTS)
