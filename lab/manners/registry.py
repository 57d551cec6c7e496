"""The manners that are on, around the control plane's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import environment, manners
from lab.manners.encryption import Encryption
from lab.manners.late_parameters import LateImageParameters
from lab.manners.old_console import OldConsole
from lab.manners.pending import Pending
from lab.manners.reused_addresses import ReusedAddresses
from lab.manners.stale_reads import StaleReads
from lab.manners.throttling import Throttling

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.manners.base import Answer, Call, Manner, Plane

ALL: tuple[type[Manner], ...] = (
    Throttling,
    StaleReads,
    LateImageParameters,
    Pending,
    OldConsole,
    ReusedAddresses,
    Encryption,
)
"""In the order in which they are asked."""


class Manners:
    """Those that are on.

    Args:
        plane: The control plane.
        path: Where the choice is kept over a restart.
    """

    def __init__(self, plane: Plane, path: Path) -> None:
        self._plane = plane
        self._path = path
        self.choice = manners.kept(path)
        self._on: list[Manner] = []
        self._begin()

    def set(self, choice: manners.Choice) -> None:
        """Have exactly these from now on."""
        with self._plane.lock:
            self.choice = choice
            for manner in self._on:
                manner.end()
            self._begin()
            choice.keep(self._path)

    def _begin(self) -> None:
        self._on = [one(self._plane, self.choice) for one in ALL if one.name in self.choice.names]
        for manner in self._on:
            manner.begin()

    def refusal(self, call: Call) -> Answer | None:
        """The answer to a call that one of them refuses before anything else has looked at it."""
        return next((found for manner in self._of(call) if (found := manner.refusal(call)) is not None), None)

    def lag(self) -> float:
        """Seconds from now on for which an answer may still not show all that has been done."""
        return max((manner.lag() for manner in self._on), default=0.0)

    def settle(self) -> None:
        """Return once what they have put off is done; the control plane's lock is not held."""
        for manner in self._on:
            manner.settle()

    def forget(self) -> None:
        """Time has been moved: what was a moment ago is long ago."""
        for manner in self._on:
            manner.forget()

    def answer(self, call: Call) -> Answer:
        """Answer a call: one of them does, or the control plane as it is."""
        for manner in self._of(call):
            answer = manner.instead(call)
            if answer is not None:
                return answer
        return self._plane.carry_out(call)

    def around(self, call: Call, ask: Callable[[Call], Answer]) -> Answer:
        """Ask moto for a change, with what they do before and after."""
        with self._plane.lock:
            concerned = self._of(call)
            for manner in concerned:
                manner.before(call)
            answer = ask(call)
            for manner in concerned:
                answer = manner.after(call, answer)
            return answer

    def _of(self, call: Call) -> list[Manner]:
        return [] if call.caller.key == environment.ONLOOKER else self._on
