"""Text from outside as a part of a Markdown page: it stays text."""

from __future__ import annotations

import re

from pipeline import visible

_ESCAPES = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\`*_[]|~$^"}
    | {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "&#64;&#8203;", "#": "\\#&#8203;"}
)
"""CommonMark's backslash escapes; HTML's for tags. Behind the signs that would call a person or name an issue a space
without width: both forges look for them in what they have rendered."""

_ADDRESS = re.compile(r"(?i)(://|www\.|mailto:)")
"""What both forges make a link of, without any markup."""

_BEGINNING = re.compile(r"([-+=/:]|\d+(?=[.)]))")
"""What means something at the beginning of a line: a list, a heading, and GitLab's quick actions such as ``/merge``."""


def code(text: str) -> str:
    """A text as inline code that no table or markup can be broken by."""
    shown = visible.one_line(" ".join(text.split())).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`"


def plain(text: str) -> str:
    """A text in one line, without what Markdown, HTML or a forge would take for markup."""
    shown = visible.one_line(" ".join(text.split())).translate(_ESCAPES)
    return _ADDRESS.sub(lambda found: f"{found[0][0]}&#8203;{found[0][1:]}", _begun(shown))


def _begun(text: str) -> str:
    """The text, safe also where it begins a line."""
    found = _BEGINNING.match(text)
    if found is None:
        return text
    first = found[0]
    return f"{first}\\{text[len(first) :]}" if first.isdecimal() else f"\\{text}"
