"""The one kind of error that a person is meant to read."""

from __future__ import annotations

from pipeline import visible


class PipelineError(Exception):
    """A problem that its reader can solve. What is not printable in its parts is escaped, long lines are cut.

    Args:
        what: What is wrong.
        seen: The value or text seen, if there is one.
        allowed: What would be right.
        change: Where to change it, or what to do.
    """

    def __init__(
        self, what: str, *, seen: str | None = None, allowed: str | None = None, change: str | None = None
    ) -> None:
        self.what = visible.lines(what)
        self.seen = None if seen is None else visible.lines(seen)
        self.allowed = None if allowed is None else visible.lines(allowed)
        self.change = None if change is None else visible.lines(change)
        super().__init__(self._text())

    def _text(self) -> str:
        parts = {"seen": self.seen, "allowed": self.allowed, "to do": self.change}
        lines = [self.what]
        for label, value in parts.items():
            if value:
                first, *rest = value.split("\n")
                lines.append(f"  {label + ':':<9}{first}")
                lines += [f"           {line}" for line in rest]
        return "\n".join(lines)
