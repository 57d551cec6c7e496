"""Labs for one at a time: a demo, a measurement or a test run has one for itself, in whichever checkout it is."""

from __future__ import annotations

import contextlib
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psutil

from lab import environment, keeper, leftovers
from lab.errors import LabError
from lab.held import Held

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.settings import LabSettings


@contextmanager
def own(settings: LabSettings, *, wait: bool) -> Iterator[None]:
    """Have a lab for oneself, new and empty; it is gone afterwards.

    Args:
        settings: The lab.
        wait: Until it is free; else that is an error.

    Raises:
        LabError: Somebody else has it, or it is up; it did not start; something of it is left on this host.
    """
    with reserved(settings, wait=wait):
        if keeper.running(settings):
            raise LabError(
                f"the lab {settings.name!r} is up, and this would wipe it",
                hint=f"GOLDEN_IMAGE_LAB={settings.name} python -m lab reset, if nobody needs it",
            )
        try:
            keeper.reset(settings)
            keeper.up(settings)
            environment.install_plugins(settings)
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # the clearing up is not to be interrupted
            keeper.reset(settings)
            leftovers.refuse(settings)


@contextmanager
def reserved(settings: LabSettings, *, wait: bool) -> Iterator[None]:
    """Keep others from having the lab for themselves: another test run, demo or measurement, in any checkout.

    Raises:
        LabError: One has it, and `wait` is not set.
    """
    with contextlib.closing(Held(settings.state_dir.with_suffix(".reserved"))) as held:
        if not held.take(0, wait=wait):
            raise LabError(
                f"the lab {settings.name!r} is in use by {_describe(held.holder(0))}",
                hint="wait until that has ended, or end it; it wipes its lab itself",
            )
        yield


def _describe(pid: int | None) -> str:
    with contextlib.suppress(psutil.Error):
        if pid is not None:
            process = psutil.Process(pid)
            return f"process {pid} ({' '.join(process.cmdline())}) in {process.cwd()}"
    return "another process"
