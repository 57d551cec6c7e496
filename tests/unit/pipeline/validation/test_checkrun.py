"""Checks run by pytest against a machine, and what comes of them. The machine is this one, behind a fake ssh."""

import os
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.validation import checkrun, results
from pipeline.validation.clones import Clone
from pipeline.validation.deadline import Deadline
from pipeline.validation.results import CheckResult

CLONE = Clone("i-1", "127.0.0.1")
CHECKS = """
import pytest

def test_good(host):
    assert host.run("echo hello").stdout == "hello\\n"

def test_bad(host):
    assert host.run("echo hello").stdout == "bye\\n"

def test_skipped(host):
    pytest.skip("not today")

def test_of_nobody():
    raise ValueError("broken check")
"""


class Way:
    """A way in that leads here."""

    user = "nobody"
    config = Path(os.devnull)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    # The last argument is the command; ssh hands it to the user's shell.
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "checks"
    folder.mkdir()
    return folder


def run(folder: Path, seconds: float = 60) -> dict[str, CheckResult]:
    found = checkrun.run(
        [CLONE], access=cast("Any", Way()), role="web", deadline=Deadline(seconds), folder=folder
    )
    return {result.check: result for result in found}


def test_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "test_it.py").write_text(CHECKS)
    (folder / "test_unreadable.py").write_text("import nothing_of_this_name\n")
    found = run(folder)
    good, bad = found["test_it.py::test_good"], found["test_it.py::test_bad"]
    assert (good.outcome, good.address) == (results.PASSED, CLONE.address)
    assert (bad.outcome, bad.seen, bad.wanted) == (results.FAILED, "'hello\\n'", "'bye\\n'")
    assert found["test_it.py::test_skipped"].outcome == results.SKIPPED
    broken = found["test_it.py::test_of_nobody"]
    assert (broken.outcome, broken.address) == (results.FAILED, "")
    assert "broken check" in broken.seen
    assert "nothing_of_this_name" in found["test_unreadable.py"].seen
    told = capsys.readouterr().err
    assert "i-1 (127.0.0.1): test_it.py::test_bad FAILED" in told


def test_no_check(folder: Path) -> None:
    with pytest.raises(PipelineError, match="could not be run"):
        run(folder)


def test_a_check_that_hangs(folder: Path) -> None:
    (folder / "test_it.py").write_text("import time\ndef test_slow():\n    time.sleep(60)\n")
    with pytest.raises(PipelineError, match="did not end within 2 s"):
        run(folder, seconds=2)
