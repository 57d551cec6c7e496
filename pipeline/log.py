"""What a step prints while it works: on stderr, where the engine shows each line, and never too long for it."""

from __future__ import annotations

import sys

from pipeline import visible

LINE_LIMIT = 8000
"""Characters of one line. The command plugin reads the shown stream in lines of at most 64 KiB, and after a longer one
no longer at all: the step would wait for ever (pulumi-command 1.2.1, provider/pkg/provider/util/util.go)."""


def log(step: str, text: str) -> None:
    """Print a text of a step's own, at once.

    Args:
        step: The step's name, such as ``bake``.
        text: One line or more.
    """
    show(f"==> {step}: {text}")


def show(text: str) -> None:
    """Print a text at once; what is too long in a line is cut, and what a terminal would obey is escaped."""
    shown = (shortened(visible.printable(line.removesuffix("\r"))) for line in text.split("\n"))
    sys.stderr.write("".join(f"{line}\n" for line in shown))
    sys.stderr.flush()


def shortened(line: str) -> str:
    """A line that the engine can show: cut where it is too long, with its length."""
    if len(line) <= LINE_LIMIT:
        return line
    return f"{line[:LINE_LIMIT]}… (cut: {len(line)} characters)"
