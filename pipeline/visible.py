"""Text from outside as a person may see it: in full where it is short, and nothing in it takes effect.

Imports nothing of the project.
"""

from __future__ import annotations

import re
import unicodedata

VALUE_LENGTH = 200
"""Characters that are shown of one value of config."""

LINE_LENGTH = 1_000
"""Characters that are shown of one line of an error."""

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode's categories of what shows no sign of its own: control characters (ANSI's sequences begin with one), marks
that turn the direction of writing, halves of surrogate pairs, line separators."""


_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def quoted(value: object) -> str:
    """A value as Python writes it, cut to a length that can be read."""
    return cut(one_line(repr(value)), VALUE_LENGTH)


def cut(text: str, length: int) -> str:
    """The beginning of a text, and how long it is if that is not all."""
    return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"


def one_line(text: str) -> str:
    r"""A text in which each character without a sign of its own is an escape such as ``\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(sign) if unicodedata.category(sign) in _HIDDEN else sign for sign in text)


def printable(line: str) -> str:
    """The same with its tabs as they are."""
    return line if line.isascii() and line.isprintable() else "\t".join(map(one_line, line.split("\t")))


def lines(text: str) -> str:
    """The same for a text of several lines; its line ends stay, and long lines are cut."""
    return "\n".join(printable(cut(line.removesuffix("\r"), LINE_LENGTH)) for line in text.split("\n"))


def uncoloured(text: str) -> list[str]:
    """The lines of what a terminal was sent, without its colours and without empty lines."""
    return [_COLOURS.sub("", line).rstrip() for line in text.splitlines() if line.strip()]


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "surrogatepass").decode("ascii")
