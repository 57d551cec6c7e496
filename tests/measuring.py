"""What the measurements of `make bench` share: a lab of a pace, and two sides of a comparison."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.workbench import Run, Workbench

if TYPE_CHECKING:
    from pathlib import Path

    from lab.settings import LabSettings

ROUNDS = {"lab": 2, "aws": 1}
"""By pace. At AWS's, both sides draw the same times, and each round is a quarter of an hour."""

AT_AWS_PACE = "aws"
"""The pace at which waiting counts, and not how many machines the cores of this one can boot at once."""


class Lab(Workbench):
    """A working copy in a lab of a pace.

    Args:
        settings: The lab.
        folder: Where the copy goes; must not exist.
        pace: How long machines and images take.
    """

    def __init__(self, settings: LabSettings, folder: Path, *, pace: str) -> None:
        super().__init__(settings, folder, echo=False)
        self.pace = pace
        self.same_chances()

    def same_chances(self) -> None:
        """Let what is done now take as long as what was done after the last time: both sides draw the same times."""
        self.set_manners(pace=self.pace)


@dataclass
class Comparison:
    """Two ways of doing a thing, and how much longer ours may take."""

    title: str
    ours: str
    theirs: str
    aim: float
    extra: float = 0.0
    ours_seconds: list[float] = field(default_factory=list)
    theirs_seconds: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float:
        """Median of ours, less what the aim allows on top, by median of theirs."""
        ours = statistics.median(self.ours_seconds) - self.extra
        return ours / statistics.median(self.theirs_seconds)


def must(run: Run) -> float:
    """The seconds of a run that succeeded.

    Raises:
        LabError: It failed.
    """
    if run.status != 0:
        raise LabError(f"status {run.status}:\n{run.output[-3000:]}", hint="nothing was measured")
    return run.seconds
