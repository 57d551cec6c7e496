"""Commands of the set-up: counted, shown when they fail, and ended together."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools import say
from tools.progress import Board, Step
from tools.say import SetupError, ready, run, side_by_side


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_what_a_command_prints_is_shown_if_it_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SetupError, match=r"(?s)trying: `.*` ended with status 3:\n  line 5\n.*line 19$"):
        run("trying", python("for n in range(20): print('line', n)\nraise SystemExit(3)"))
    run("trying", python("print('quiet')"))
    assert "quiet" not in capfd.readouterr().err


def test_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Step] = []

    @contextmanager
    def step(_self: Board, what: str, unit: str = "") -> Iterator[Step]:
        steps.append(Step(what, unit))
        yield steps[-1]

    monkeypatch.setattr(Board, "step", step)
    run(
        "unpacking", python("print('5 new')\nfor n in range(3): print('Setting up', n)"), unit="packages",
        counted=r"^Setting up ", totalled=r"^(\d+) new",
    )  # fmt: skip
    assert (steps[0].done, steps[0].total) == (3, 5)


def test_parts_run_at_once(tmp_path: Path) -> None:
    """Each waits for the file that the other one writes."""
    code = (
        "import pathlib, sys, time\n"
        "pathlib.Path(sys.argv[1]).touch()\n"
        "while not pathlib.Path(sys.argv[2]).exists(): time.sleep(0.01)\n"
    )
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    side_by_side(lambda: run("one", [*python(code), one, two]), lambda: run("two", [*python(code), two, one]))


def test_the_first_failure_ends_the_others(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    long = python(f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)")

    def fail() -> None:
        while not begun.exists():
            time.sleep(0.01)
        run("failing", python("raise SystemExit('no disk')"))

    started = time.monotonic()
    status = ready(lambda: side_by_side(lambda: run("building", long), fail))
    assert status == 1
    assert time.monotonic() - started < 60
    said = capfd.readouterr().err
    assert "error: failing" in said
    assert "no disk" in said
    # The next one in this process begins anew.
    assert ready(lambda: run("trying", python(""))) == 0


def test_nothing_starts_after_a_failure() -> None:
    def fail() -> None:
        raise SetupError("no disk")

    def later() -> None:
        while not say._running._ended:
            time.sleep(0.01)
        with pytest.raises(SetupError, match="another part"):
            run("late", python(""))

    assert ready(lambda: side_by_side(fail, later)) == 1
