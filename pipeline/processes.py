"""What processes that a step starts have in common."""

from __future__ import annotations

import ctypes
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Loaded here: between fork and exec, with threads around, only the call itself is safe.
_LIBC = ctypes.CDLL(None)


def dies_with_parent(number: signal.Signals = signal.SIGTERM) -> None:
    """In a new child: have the kernel send it a signal when its parent dies. Does nothing but on Linux.

    The engine kills an interrupted step with SIGKILL, so the step cannot end its children itself.
    """
    if sys.platform == "linux":
        _LIBC.prctl(PR_SET_PDEATHSIG, number)
