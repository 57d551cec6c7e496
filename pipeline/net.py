"""What a program of this project ends in: an exit status, and one message for whatever went wrong.

An error that nobody has foreseen is one line, too; its traceback is kept in a file, or shown where `SHOW` is set.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import log, visible
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

ERROR = 1
INTERRUPTED = 130
SHOW = "GOLDEN_IMAGE_TRACEBACK"
"""The environment variable that lets an unforeseen error show its traceback at once."""


def run(command: Callable[[], object]) -> int:
    """Run a command to its end, with all that it prints.

    Returns:
        Its exit status; `ERROR` if it raised, `INTERRUPTED` if it was interrupted. What went wrong is on stderr.
    """
    if sys.stdout is None or sys.stderr is None:
        return _closed()
    for stream in (sys.stdout, sys.stderr):
        # A sign that the terminal's encoding does not have is an escape, not an error.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    status, message = _outcome(command)
    if message:
        log.show(f"error: {message}")
    return status


def _outcome(command: Callable[[], object]) -> tuple[int, str]:
    message = ""
    try:
        status = _status(command)
        sys.stdout.flush()
    except PipelineError as error:
        status, message = ERROR, str(error)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader has read enough.
        _give_up_stdout()
        status = ERROR
    except Exception as error:  # noqa: BLE001 - it is kept and shown
        status, message = ERROR, _unwritten(error) or unexpected(error)
    return status, message


def _of_aws(error: Exception) -> str | None:
    """The message for a call to AWS outside of all others' nets; None for another error."""
    from pipeline import aws  # hardly ever

    explained = aws.explain("call AWS", error, region="this region")
    return str(explained) if explained else None


def _unwritten(error: Exception) -> str | None:
    """The message for output that could not be written; None for another error."""
    if not isinstance(error, OSError) or error.filename is not None or error.errno not in _UNWRITTEN:
        return None
    _give_up_stdout()
    return str(
        PipelineError(
            "the output could not be written",
            seen=error.strerror,
            change="free disk space, or write the output to another place",
        )
    )


def _status(command: Callable[[], object]) -> int:
    """A command line ends by SystemExit."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _closed() -> int:
    if sys.stderr is not None:
        log.show("error: standard output is closed; nothing has been done")
    return ERROR


def _give_up_stdout() -> None:
    """Python flushes it once more at its end; that must not fail again."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def unexpected(error: Exception) -> str:
    """The message for an error that nobody has foreseen; its traceback goes into a file.

    Where the environment asks for it, and where no file can be written, the traceback is the message. What AWS did not
    answer has the same message as everywhere.
    """
    explained = _of_aws(error)
    if explained is not None:
        return explained
    text = "".join(traceback.format_exception(error))
    if os.environ.get(SHOW):
        return text
    try:
        path = _kept(text)
    except OSError:
        return text
    problem = PipelineError(
        "unexpected error",
        seen=visible.cut(visible.one_line(f"{type(error).__name__}: {error}"), visible.LINE_LENGTH),
        change=f"report it with the traceback, which is in {path}; {SHOW}=1 shows it here",
    )
    return str(problem)


def _kept(text: str) -> Path:
    """A file in XDG's state folder that only its owner reads."""
    base = Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local" / "state")))
    folder = base / "golden-image" / "errors"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path
