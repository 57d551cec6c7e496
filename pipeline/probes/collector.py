"""Runs on a machine, as root: sends the files of its disk that no package owns as it installed them.

Handed to the machine's own Python (3.6 or later) by `onmachine`, with `disk` and `archives`.

Output: a zlib stream of frames. A frame is one line of JSON, followed by as many bytes as its key `data` gives.
`file` begins a file (path without the first slash, size in bytes, first bytes in hexadecimal digits, whether its
content is binary, whether it is a member of an archive), `data` continues it, `progress` gives numbers, `end` is
last. Text is sent as it is, UTF-16 as UTF-8, of a binary file only what can be read, of an archive its members.
Memory stays the same for any number and size of files.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import stat
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

from pipeline.probes.archives import BROKEN, CHUNK, members, rest
from pipeline.probes.disk import Owned, compiled, regular_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

HEAD = 512
SHORTEST_WIDE = 8  # bytes that are enough to take a text for UTF-16
PROGRESS_SECONDS = 2.0
AHEAD = 256  # files hashed ahead of the one that is sent
DEEPEST = 4
"""Archives within archives that are opened; what is deeper is read as it is."""

READABLE = re.compile(rb"[\t\x20-\x7e]{6,}|(?:[\x20-\x7e]\x00){6,}")


class Sender:
    """Frames on standard output."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._zip = zlib.compressobj(1)

    def frame(self, content: dict[str, object], data: bytes = b"") -> None:
        """One frame."""
        self._out.write(self._zip.compress(json.dumps(content).encode() + b"\n" + data))

    def flush(self, how: int = zlib.Z_SYNC_FLUSH) -> None:
        """Send what was kept back."""
        self._out.write(self._zip.flush(how))
        self._out.flush()

    def end(self, files: int, owned: int, unreadable: list[str]) -> None:
        """The last frame; also how long this machine's processors have worked for it, in seconds."""
        worked = sum(os.times()[:4])
        self.frame({"end": files, "owned": owned, "unreadable": unreadable, "worked": worked})
        self.flush(zlib.Z_FINISH)

    def file(self, path: str, name: str) -> None:
        """One file, in pieces."""
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            first = file.read(CHUNK)
            self._content(name, size, pieces(file, first), file, 0)

    def _content(self, name: str, size: int, chunks: Iterator[bytes], file: BinaryIO, depth: int) -> None:
        first = next(chunks, b"")
        wide = encoding(first)
        binary = wide is None and b"\0" in first
        self.frame(
            {"file": name, "size": size, "head": first[:HEAD].hex(), "binary": binary, "inside": depth > 0}
        )
        chunks = chain([first], chunks)
        opened = members(name, first, file) if depth < DEEPEST else None
        if opened is not None:
            try:
                self._members(name, opened, depth + 1)
            except BROKEN:
                # What of it can be read as it is may still hold something; of a member, its beginning.
                self.frame({"file": name, "size": size, "head": "", "binary": True, "inside": True})
                chunks, binary = iter([first]), True
                if depth == 0:
                    file.seek(0)
                    chunks = rest(file, b"")
            else:
                return
        for piece in texts(chunks, wide, binary=binary):
            if piece:
                self.frame({"data": len(piece)}, piece)

    def _members(self, name: str, opened: Iterator[tuple[str, int, BinaryIO]], depth: int) -> None:
        for inner, size, member in opened:
            place = "/".join(part for part in inner.split("/") if part not in {"", ".", ".."})
            within = f"{name}!/{place}" if place else name
            self._content(within, size, rest(member, b""), member, depth)


def encoding(first: bytes) -> str | None:
    """UTF-16's name, for a text in it."""
    if first[:2] in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        return "utf-16"
    for name, zeros, others in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        part = first[:HEAD]
        if (
            len(part) > SHORTEST_WIDE
            and b"\0" not in part[others::2]
            and part[zeros::2].count(0) > len(part) * 0.45
        ):
            return name
    return None


def pieces(file: BinaryIO, first: bytes) -> Iterator[bytes]:
    """The file's content; holes of a sparse one are left out."""
    yield first
    place = len(first)
    while True:
        try:
            place = os.lseek(file.fileno(), place, os.SEEK_DATA)
        except OSError:  # nothing but a hole up to the end
            return
        chunk = os.pread(file.fileno(), CHUNK, place)
        if not chunk:
            return
        place += len(chunk)
        yield chunk


def texts(chunks: Iterator[bytes], wide: str | None, *, binary: bool) -> Iterator[bytes]:
    """What can be read of it."""
    if wide:
        decoder = codecs.getincrementaldecoder(wide)("replace")
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8", "replace")
    elif binary:
        rest = b""
        for chunk in chunks:
            found = [match.group().replace(b"\0", b"") for match in READABLE.finditer(rest + chunk)]
            yield b"\n".join(found) + b"\n" if found else b""
            # A word that goes on in the next piece is found there whole.
            rest = (rest + chunk)[-HEAD:]
    else:
        for chunk in chunks:
            yield chunk


def unknown(owned: Owned, files: list[str], sender: Sender) -> Iterator[str]:
    """Those files that no package owns as it brought them; says now and then how far it is."""

    def is_known(path: str) -> bool:
        try:
            return owned.has(path) or compiled(path)
        except OSError:
            return False

    reported = 0.0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(files), AHEAD):
            some = files[start : start + AHEAD]
            for path, known in zip(some, pool.map(is_known, some)):
                if not known:
                    yield path
            if time.monotonic() - reported > PROGRESS_SECONDS:
                reported = time.monotonic()
                sender.frame({"progress": min(start + AHEAD, len(files)), "files": len(files)})
                sender.flush()


def main(root: str) -> None:
    """Send all that no package owns."""
    owned = Owned(root)
    owned.dpkg()
    owned.rpm()
    files = regular_files(root)
    for path in files:
        if path.endswith(".dist-info/RECORD"):
            owned.pip(path)
    sender = Sender(sys.stdout.buffer)
    count, unreadable = 0, []
    for path in unknown(owned, files, sender):
        count += 1
        name = path[len(root) :].lstrip("/")
        try:
            if stat.S_ISREG(os.lstat(path).st_mode):
                sender.file(path, name)
        except FileNotFoundError:  # gone since: a running machine
            continue
        except OSError:
            unreadable.append(name)
    sender.end(len(files), len(files) - count, unreadable[:20])


if __name__ == "__main__":
    main(os.environ.get("ROOT", ""))
