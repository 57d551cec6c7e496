"""A step's log: no line that the engine's plugin cannot read."""

import pytest

from pipeline import log


def test_a_line_names_the_step(capsys: pytest.CaptureFixture[str]) -> None:
    log.log("bake", "adopting ami-1")
    shown = capsys.readouterr()
    assert (shown.err, shown.out) == ("==> bake: adopting ami-1\n", "")


def test_a_long_line_is_cut_and_its_neighbours_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    log.show("before\n" + "é" * 100_000 + "\nafter")
    before, long, after = capsys.readouterr().err.splitlines()
    assert (before, after) == ("before", "after")
    assert long.endswith("… (cut: 100000 characters)")
    assert len(long.encode()) < 64 * 1024


def test_a_line_of_the_longest_length_stays() -> None:
    assert log.shortened("x" * log.LINE_LIMIT) == "x" * log.LINE_LIMIT
