"""Whether a process would hear a signal, so that none is sent that nobody listens to."""

from __future__ import annotations

from pathlib import Path

_MASKS = ("SigBlk:", "SigCgt:")
"""Blocked, for signalfd(2), or caught (proc_pid_status(5))."""


def hears(pid: int, number: int) -> bool:
    """Whether a process has made up its mind about a signal: it blocks or catches it.

    The kernel drops a signal that the first process of a PID namespace leaves at its default (pid_namespaces(7)).

    Args:
        pid: The process, as seen from here.
        number: The signal.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return False
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(_MASKS)]
    return any(mask >> (number - 1) & 1 for mask in masks)
