"""What a person reads when the lab cannot do something."""

from __future__ import annotations


class LabError(Exception):
    """A problem that its reader can solve.

    Args:
        problem: What is wrong, with the value seen.
        hint: What is allowed, and where to change it.
    """

    def __init__(self, problem: str, *, hint: str) -> None:
        super().__init__(f"{problem}\n  {hint}")
        self.problem = problem
        self.hint = hint
