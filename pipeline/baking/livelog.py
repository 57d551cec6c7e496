"""Packer's log as it is shown while Packer runs: without secrets, and a moment late.

Gitleaks takes its time to start, so what comes within a moment goes through it at once. A private key of several lines
is known by its first line and kept back as it comes, for its end may be a moment later.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from typing import IO, TYPE_CHECKING

from pipeline import log
from pipeline.errors import PipelineError
from pipeline.scanning import gitleaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WINDOW_SECONDS = 2.0
"""How late a line may be shown."""

BATCH_CHARACTERS = 1 << 20
WAITING_LINES = 10_000
KEY_LINES = 400
"""The longest private key: one of RSA with 32,768 bits has about 390 lines."""

LEAST_OF_A_SECRET = 8
"""Characters of a line of a secret of several lines that are enough to take it out alone."""

PREFIX = re.compile(r"^(?:==>|\s+)\s*[\w.-]+:\s?")
"""What Packer puts before each line of a build."""

_BEGIN = re.compile(
    r"-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----(?!.*[A-Za-z0-9+/]{40})|\bPrivate-Lines: \d+\W*$"
)
"""The first line of a key whose others follow; one that is all in one line is gitleaks' to find."""

_END = re.compile(r".*(?:-----END[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----|\bPrivate-MAC: \S+)")
_MATERIAL = re.compile(
    r"""(?:.*[\s"'+])?[A-Za-z0-9+/]{40,}=*["',\s]*$|[\s"'+|>-]*[A-Za-z0-9+/]*=*["',\s]*$"""
    r"""|[\s"'+|>-]*(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): """
)
"""A line of a key: base64, nothing, or a header (RFC 1421, RFC 4880)."""


class Redactor:
    """Takes secrets out of lines, and knows what earlier lines have had."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}
        self._lead = re.compile("")
        self._left = 0

    def redacted(self, lines: Sequence[str]) -> list[str]:
        """The lines that follow those of the call before; of a key of several lines one is left, with its rule's name.

        Raises:
            PipelineError: Gitleaks cannot be run.
        """
        state = (self._lead, self._left)
        try:
            parts = list(self._without_keys(lines))
            text = "\n".join(text for _, text in parts)
            # JSON inside of JSON, as Ansible prints what a command has said.
            plain = text.replace('\\"', '"')
            self._found |= _by_line(gitleaks.recognised(text if plain == text else f"{text}\n\n{plain}"))
        except KeyboardInterrupt:
            # The same lines come once more, and begin where these did.
            self._lead, self._left = state
            raise
        return [prefix + gitleaks.without(text, self._found) for prefix, text in parts]

    def _without_keys(self, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Packer's prefix and the text of each line, but for those of a private key."""
        for line in lines:
            prefix = found[0] if (found := PREFIX.match(line)) else ""
            text = self._after_key(line[len(prefix) :].rstrip("\r"))
            if text is None:
                continue
            begins = _BEGIN.search(text)
            if begins:
                before = text[: begins.start()]
                # The lines that follow have the same before the key's own, perhaps with a later time.
                self._lead = re.compile(re.sub(r"\d+", r"\\d+", re.escape(before)))
                self._left = KEY_LINES
                text = f"{before}[private-key]"
            yield prefix, text

    def _after_key(self, text: str) -> str | None:
        """What a line has that is not of a key which began before it; None for nothing."""
        if not self._left:
            return text
        ends = _END.match(text)
        own = self._lead.sub("", text, count=1) if self._lead.match(text) else text
        self._left = self._left - 1 if not ends and _MATERIAL.match(own) else 0
        if ends:
            return text[ends.end() :].strip("\"', \t") or None
        return None if self._left else text


def _by_line(found: dict[str, str]) -> dict[str, str]:
    """Secrets, those of several lines in pieces: each piece is shown in a line of its own."""
    return {
        piece.strip(): rule
        for secret, rule in found.items()
        for piece in secret.split("\n")
        if piece == secret or len(piece.strip()) >= LEAST_OF_A_SECRET
    }


class Live:
    """Shows what comes from a stream.

    Args:
        stream: Lines of text. It is read to its end whatever becomes of the lines.
        kept: Where all of it can be read.
        pick: Takes lines without secrets, in their order, and returns those to show.
    """

    def __init__(
        self, stream: IO[bytes], kept: str, pick: Callable[[Sequence[str]], Sequence[str]] = list
    ) -> None:
        self._stream = stream
        self._kept = kept
        self._pick = pick
        self._coming: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._waiting: list[str] = []
        self._ended = False
        self._redactor = Redactor()
        threading.Thread(target=self._read, daemon=True).start()

    def show(self) -> None:
        """Show it all; may be called again after a KeyboardInterrupt, and goes on."""
        while True:
            self._gather()
            if self._waiting:
                self._show()
            elif self._ended:
                return

    def _read(self) -> None:
        for line in self._stream:
            self._coming.put(line.decode(errors="replace").rstrip("\n"))
        self._coming.put(None)

    def _gather(self) -> None:
        """Wait for a line, and a moment for those after it."""
        ends = time.monotonic() + WINDOW_SECONDS
        size = sum(map(len, self._waiting))
        while not self._ended and size < BATCH_CHARACTERS:
            left = max(0.0, ends - time.monotonic())
            try:
                line = self._coming.get(timeout=left if self._waiting else None)
            except queue.Empty:
                return
            if not self._waiting:
                ends = time.monotonic() + WINDOW_SECONDS
            if line is None:
                self._ended = True
            else:
                self._waiting.append(line)
                size += len(line)

    def _show(self) -> None:
        try:
            lines = self._pick(self._redactor.redacted(self._waiting))
        except PipelineError as error:
            held = f"{len(self._waiting)} lines of Packer's are not shown"
            lines = [f"==> bake: {held}: they may hold secrets, and {error.what}; they are in {self._kept}"]
        self._waiting.clear()
        if lines:
            log.show("\n".join(lines))
