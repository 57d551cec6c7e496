"""What a terminal and a log show of slow steps."""

import io

import pytest

from tools.progress import Board, Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Step("building", started=40), "building (60 s)"),
        (Step("building", "packages", started=40), "building (60 s)"),
        (Step("building", "packages", done=3, started=40), "building (3 packages, 60 s)"),
        (Step("building", "packages", total=9, done=3, started=40), "building (3 of 9 packages, 60 s)"),
    ],
)
def test_a_step_in_a_log(step: Step, text: str) -> None:
    assert step.text(100) == text


def test_a_log_gets_a_line_every_few_seconds(clock: Clock) -> None:
    log = io.StringIO()
    board = Board(log, clock=clock)
    with board.step("building", "packages") as step, board.step("installing"):
        step.total = 20
        for second in range(23):
            step.done = second
            board.show()
            clock.now += 1
    lines = log.getvalue().splitlines()
    assert lines == [
        "set-up: still building (10 of 20 packages, 10 s), installing (10 s)",
        "set-up: still building (20 of 20 packages, 20 s), installing (20 s)",
    ]


def test_a_quick_step_is_not_shown(clock: Clock) -> None:
    log = io.StringIO()
    board = Board(log, clock=clock)
    with board.step("linking"):
        clock.now += 2
        board.show()
    assert log.getvalue() == ""


def test_a_terminal_has_one_line_with_a_bar_for_each(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    terminal = Terminal()
    board = Board(terminal, clock=clock)
    with board.step("building", "packages") as step, board.step("installing"):
        step.total, step.done = 10, 5
        clock.now += 6
        board.show()
        assert terminal.getvalue() == "building [##########..........] 5/10 packages · installing (6 s)"
        board.line("set-up: another line")
        board.show()
    shown = terminal.getvalue()
    assert "\r\x1b[Kset-up: another line\nbuilding [" in shown
    assert shown.endswith("\r\x1b[K"), "nothing of the bar is left"


def test_a_narrow_terminal_has_one_line_all_the_same(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    terminal = Terminal()
    board = Board(terminal, clock=clock)
    with board.step("building " * 20):
        clock.now += 6
        board.show()
        assert len(terminal.getvalue()) == 19
