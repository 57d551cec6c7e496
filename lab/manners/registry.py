"""The manners that are on, around the control plane's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import environment, manners
from lab.manners.late_parameters import LateImageParameters

if TYPE_CHECKING:
    from pathlib import Path

    from lab.manners.base import Answer, Call, Manner, Plane

ALL: tuple[type[Manner], ...] = (LateImageParameters,)


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
        self._on = self._make()

    def set(self, choice: manners.Choice) -> None:
        """Have exactly these from now on."""
        with self._plane.lock:
            self.choice = choice
            self._on = self._make()
            choice.keep(self._path)

    def _make(self) -> list[Manner]:
        return [one(self._plane, self.choice.seed) for one in ALL if one.name in self.choice.names]

    def answer(self, call: Call) -> Answer:
        """Answer a call: one of them does, or the control plane as it is."""
        if call.caller.key != environment.ONLOOKER:
            for manner in self._on:
                answer = manner.instead(call)
                if answer is not None:
                    return answer
        return self._plane.carry_out(call)
