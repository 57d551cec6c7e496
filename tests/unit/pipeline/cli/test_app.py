"""Steps read a plan and print a result; errors are one text and a status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def step(*arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        input=stdin, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_keygen_prints_one_line_of_json() -> None:
    done = step("keygen", stdin='{"imageId": "ami-1"}')
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["publicKey"].startswith("ssh-ed25519 ")


@pytest.mark.parametrize("stdin", ["", "not json: secret", "[1]"])
def test_a_plan_that_is_none(stdin: str) -> None:
    done = step("bake", stdin=stdin)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the step's plan on standard input is not")
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command() -> None:
    assert step("bakee", stdin="").returncode == 2


def test_the_launcher_becomes_the_step(tmp_path: Path) -> None:
    """The direct child of the engine must be the step: it alone gets the signals."""
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$$ $*"\n')
    python.chmod(0o755)
    with subprocess.Popen(
        [str(Path("bin/step").resolve()), "bake"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read().split() == [str(process.pid), "-m", "pipeline", "bake"]
