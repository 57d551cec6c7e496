"""Files in which a lab keeps what it knows: written in one piece, and an error that has a way out if one is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


def write(path: Path, data: bytes) -> None:
    """Write a file in one piece: a reader finds the old content or the new."""
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.rename(path)


def read(path: Path, parse: Callable[[bytes], T]) -> T:
    """What a file holds.

    Raises:
        LabError: It cannot be read, or holds something else than `write` was given.
    """
    try:
        return parse(path.read_bytes())
    except Exception as error:  # what a broken file makes a parser raise is not documented
        raise LabError(
            f"the lab's file {path} is cut or broken: {type(error).__name__}: {error}",
            hint="`python -m lab reset` forgets all that this lab knew; then it starts again",
        ) from error
