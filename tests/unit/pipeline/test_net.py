"""Whatever goes wrong is one message and an exit status; what nobody has foreseen leaves its traceback in a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import net
from pipeline.errors import PipelineError


def ended(program: str, tmp_path: Path, *, stdout: int = subprocess.PIPE, **env: str) -> tuple[int, str]:
    """Status and stderr of a process that runs `program` as a command."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nfrom pipeline import net\n{program}\nsys.exit(net.run(command))"],
        stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), **env},
    )  # fmt: skip
    return done.returncode, done.stderr


def test_an_error_that_nobody_foresaw(tmp_path: Path) -> None:
    status, said = ended("def command(): {}['\\x1b[31m' + 'x' * 100_000]", tmp_path)
    assert status == net.ERROR
    assert said.startswith("error: unexpected error\n  seen:    KeyError: ")
    assert "Traceback" not in said
    assert "\x1b" not in said
    assert len(said) < 2000
    (path,) = tmp_path.rglob("*.txt")
    assert str(path) in said
    assert "KeyError" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_a_developer_sees_it_at_once(tmp_path: Path) -> None:
    status, said = ended("def command(): {}['x']", tmp_path, GOLDEN_IMAGE_TRACEBACK="1")
    assert status == net.ERROR
    assert said.rstrip().endswith("KeyError: 'x'")
    assert "Traceback (most recent call last)" in said


def test_where_no_file_can_be_written_nothing_is_lost(tmp_path: Path) -> None:
    (tmp_path / "golden-image").write_text("a file where the folder would be")
    status, said = ended("def command(): {}['x']", tmp_path)
    assert status == net.ERROR
    assert "KeyError: 'x'" in said


@pytest.mark.parametrize("length", [10, 1_000_000])
def test_a_full_disk(tmp_path: Path, length: int) -> None:
    with Path("/dev/full").open("w") as full:
        status, said = ended(f"def command(): print('x' * {length})", tmp_path, stdout=full.fileno())
    assert status == net.ERROR
    assert said == (
        "error: the output could not be written\n  seen:    No space left on device\n"
        "  to do:   free disk space, or write the output to another place\n"
    )


def test_a_reader_that_has_read_enough(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert ended("def command(): print('x')", tmp_path, stdout=writing) == (net.ERROR, "")
    finally:
        os.close(writing)


def test_a_closed_stdout(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"exec {sys.executable} -m pipeline keygen >&-"],
        input='{"imageId": "ami-1"}', stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == net.ERROR
    assert done.stderr == "error: standard output is closed; nothing has been done\n"


def test_an_interrupt(tmp_path: Path) -> None:
    assert ended("def command(): raise KeyboardInterrupt", tmp_path) == (net.INTERRUPTED, "")


@pytest.mark.parametrize(("code", "status"), [("0", 0), ("3", 3), ("", 0), ("'no'", 1)])
def test_a_status_is_handed_on(tmp_path: Path, code: str, status: int) -> None:
    assert ended(f"def command(): sys.exit({code})", tmp_path) == (status, "")


def test_an_error_shows_what_is_not_printable_and_no_more_than_can_be_read() -> None:
    error = PipelineError(
        "what\x1b[31m", seen="a\x00b\r\nc\td\u202e" + "x" * 100_000, allowed="\x9b", change="\u2028"
    )
    text = str(error)
    assert "\x1b" not in text
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert "what\\x1b[31m" in text
    assert "seen:    a\\x00b\n           c\td\\u202e" in text
    assert len(text) < 2000
    assert error.seen is not None
    assert "\x00" not in error.seen, "also where the parts are shown one by one"
