"""What the set-up tells while it works, and how it fails."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class SetupError(Exception):
    """The set-up cannot go on; the text says what to do."""


def say(text: str) -> None:
    """One line for the person who waits."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def run(
    what: str, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a command; say what it is for and how long it took, show its output only if it fails.

    Raises:
        SetupError: It ended with another status than 0.
    """
    say(f"{what} …")
    started = time.monotonic()
    done = subprocess.run(
        list(argv), cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        tail = "\n  ".join(done.stdout.splitlines()[-15:])
        raise SetupError(f"{what}: `{' '.join(argv)}` ended with status {done.returncode}:\n  {tail}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")


def ready(*parts: Callable[[], object]) -> int:
    """Set parts up, one after the other; returns the exit status: 0, or 1 after what went wrong."""
    try:
        for part in parts:
            part()
    except SetupError as error:
        say(f"error: {error}")
        return 1
    return 0
