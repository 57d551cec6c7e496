"""What archives hold: gzip, bzip2, xz, zip, tar, ar, and Git's objects and packs, opened by their content.

Runs on a machine, with its own Python (3.6 or later). Memory stays the same for any size.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import tempfile
import zipfile
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

CHUNK = 1 << 20
AR_HEADER = 60  # ar(5)
GIT_OBJECT = re.compile(r"/objects/[0-9a-f]{2}/[0-9a-f]{38,62}$")
GIT_OFFSET_DELTA, GIT_NAMED_DELTA = 6, 7  # gitformat-pack(5)

BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, IndexError, zlib.error, lzma.LZMAError,
          tarfile.TarError, zipfile.BadZipFile)  # fmt: skip
"""What the readers of archives raise for one that is damaged, encrypted, or of a kind they do not know."""


def rest(file: BinaryIO, first: bytes) -> Iterator[bytes]:
    """A stream's content, of which the first piece was read already."""
    if first:
        yield first
    for chunk in iter(lambda: file.read(CHUNK), b""):
        yield chunk


class Joined(io.RawIOBase):
    """Some bytes that were read already, and the stream that they are of.

    Args:
        chunks: The pieces.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """The next bytes."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = bytes(chunk)
        part, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def members(name: str, first: bytes, file: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]] | None:
    """Name, size and content of what an archive holds, or None for another file."""
    stream = io.BufferedReader(Joined(rest(file, first)))
    reader: Any = None
    if first[:3] == b"\x1f\x8b\x08":
        reader = gzip.GzipFile(fileobj=stream)
    elif re.match(rb"BZh[1-9]1AY&SY", first):
        reader = bz2.BZ2File(stream)
    elif first[:6] == b"\xfd7zXZ\0":
        reader = lzma.LZMAFile(stream)  # noqa: SIM115 - as long as its stream
    elif GIT_OBJECT.search("/" + name) and first[:1] == b"\x78":
        reader = io.BufferedReader(Joined(inflated(rest(stream, b""), zlib.decompressobj())))
    elif first[:4] == b"PACK" and name.endswith(".pack"):
        reader = io.BufferedReader(Joined(Pack(stream).contents()))
    if reader is not None:
        return iter([("", 0, reader)])
    if first[:4] == b"PK\x03\x04":
        return zipped(file, stream)
    if first[257:262] == b"ustar":
        return tarred(stream)
    return arred(stream) if first[:8] == b"!<arch>\n" else None


def zipped(file: BinaryIO, stream: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]]:
    """A zip archive's members; it is read from its end, so that one inside another is unpacked first."""
    with tempfile.TemporaryFile(dir="/var/tmp") as copy:
        if not isinstance(getattr(file, "raw", None), io.FileIO):
            for chunk in rest(stream, b""):
                copy.write(chunk)
            file = copy
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.filename.endswith("/"):
                    with archive.open(info) as member:
                        yield info.filename, info.file_size, member  # type: ignore[misc]


def tarred(stream: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]]:
    """A tar archive's members."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member:
                yield info.name, info.size, member  # type: ignore[misc]
            archive.members = []  # type: ignore[attr-defined] # it would keep them all


def arred(stream: BinaryIO) -> Iterator[tuple[str, int, BinaryIO]]:
    """The members of an archive of ar(1), such as a Debian package."""
    stream.read(8)
    while True:
        header = stream.read(AR_HEADER)
        if len(header) < AR_HEADER:
            return
        left = int(header[48:58])
        odd = left % 2

        def part() -> Iterator[bytes]:
            nonlocal left
            while left:
                chunk = stream.read(min(left, CHUNK))
                if not chunk:
                    raise EOFError
                left -= len(chunk)
                yield chunk

        chunks = part()
        yield (
            header[:16].decode("ascii", "replace").strip().rstrip("/"),
            left,
            io.BufferedReader(Joined(chunks)),
        )
        for _ in chunks:
            pass
        stream.read(odd)


def inflated(chunks: Iterator[bytes], unpacking: Any) -> Iterator[bytes]:
    """What a zlib stream holds; the unpacker knows afterwards what followed it."""
    while not unpacking.eof:
        part = unpacking.unconsumed_tail or next(chunks, b"")
        if not part:
            raise EOFError
        yield unpacking.decompress(part, CHUNK)


class Pack:
    """The objects of a Git pack, one after the other; of a difference, what it adds.

    Args:
        stream: The pack.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._chunks = rest(stream, b"")
        self._left = b""

    def _take(self, count: int) -> bytes:
        while len(self._left) < count:
            chunk = next(self._chunks, b"")
            if not chunk:
                raise EOFError
            self._left += chunk
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def _number(self) -> int:
        """A number's first byte; each byte but its last has the first bit set."""
        first = byte = self._take(1)[0]
        while byte & 0x80:
            byte = self._take(1)[0]
        return first

    def _compressed(self) -> Iterator[bytes]:
        left, self._left = self._left, b""
        yield left
        for chunk in self._chunks:
            yield chunk

    def contents(self) -> Iterator[bytes]:
        """In pieces."""
        for _ in range(struct.unpack(">I", self._take(12)[8:])[0]):
            kind = self._number() >> 4 & 7
            if kind == GIT_OFFSET_DELTA:
                self._number()
            elif kind == GIT_NAMED_DELTA:
                self._take(20)
            unpacking = zlib.decompressobj()
            for chunk in inflated((part for part in self._compressed() if part), unpacking):
                yield chunk
            yield b"\0"
            self._left = unpacking.unused_data
