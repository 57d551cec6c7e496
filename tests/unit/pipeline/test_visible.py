"""Nothing in a text from outside takes effect on who reads it."""

import pytest

from pipeline import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("Größe 7 µm", "Größe 7 µm"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("abc\u202edcba", "abc\\u202edcba"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("half \ud800", "half \\ud800"),
        ("line\u2028end", "line\\u2028end"),
    ],
)
def test_one_line(text: str, shown: str) -> None:
    assert visible.one_line(text) == shown
    assert visible.one_line(shown) == shown, "what is shown is shown as it is"


def test_lines_keep_their_ends_and_tabs_and_are_cut() -> None:
    assert visible.lines("a\tb\r\n\x1b[2Jc\n") == "a\tb\n\\x1b[2Jc\n"
    shown = visible.lines("x" * 5_000 + "\nshort")
    assert shown == f"{'x' * visible.LINE_LENGTH}… (5000 characters)\nshort"


def test_a_value_is_quoted_and_cut() -> None:
    assert visible.quoted("a\nb") == r"'a\nb'"
    assert visible.quoted("x" * 500).endswith("… (502 characters)")
    assert visible.quoted(7) == "7"
