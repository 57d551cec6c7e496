"""What processes that a step starts have in common."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Loaded here: between fork and exec, with threads around, only the call itself is safe.
_LIBC = ctypes.CDLL(None)


ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals by which a person, a service manager or a terminal ends a process."""


def hear(*numbers: signal.Signals) -> None:
    """Stop ignoring signals that the caller ignored, in this process and in those that it starts.

    A shell's background job ignores SIGINT, every child inherits that, and a Go program goes on ignoring it (Go,
    package os/signal). A handler that is there stays.

    Args:
        numbers: Which; a process that has its caller's terminal leaves SIGHUP out, for nohup(1)'s sake.
    """
    for number in numbers:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def dies_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """In a new child: have the kernel send it a signal when its parent dies. Does nothing but on Linux.

    The engine kills an interrupted step with SIGKILL, so the step cannot end its children itself.
    """
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, number)
