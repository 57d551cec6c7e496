"""The one kind of error that a person is meant to read."""

from __future__ import annotations


class PipelineError(Exception):
    """A problem that its reader can solve.

    Args:
        what: What is wrong.
        seen: The value or text seen, if there is one.
        allowed: What would be right.
        change: Where to change it, or what to do.
    """

    def __init__(
        self, what: str, *, seen: str | None = None, allowed: str | None = None, change: str | None = None
    ) -> None:
        self.what = what
        self.seen = seen
        self.allowed = allowed
        self.change = change
        super().__init__(self._text())

    def _text(self) -> str:
        parts = {"seen": self.seen, "allowed": self.allowed, "to do": self.change}
        lines = [self.what]
        for label, value in parts.items():
            if value:
                first, *rest = value.splitlines() or [""]
                lines.append(f"  {label + ':':<9}{first}")
                lines += [f"           {line}" for line in rest]
        return "\n".join(lines)
