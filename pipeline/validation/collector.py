"""Runs on a machine, as root: sends the files of its disk that no package owns as it installed them.

Handed to the machine's own Python (3.6 or later) on standard input, so it imports nothing of this project. A file
that is byte for byte what a package brought is its distributor's: Debian's md5sums and conffiles, the digests of
signed RPM packages, pip's RECORD of what came from an index. Everything else is what this image is made of.

Output: a zlib stream of frames. A frame is one line of JSON, followed by as many bytes as its key `data` gives.
`file` begins a file (path without the first slash, size in bytes, first bytes in hexadecimal digits, whether its
content is binary, whether it is a member of an archive), `data` continues it, `progress` gives numbers, `end` is
last. Text is sent as it is, UTF-16 as UTF-8, of a binary file only what can be read, of an archive its members.
Memory stays the same for any number and size of files.
"""

from __future__ import annotations

import base64
import bz2
import codecs
import csv
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

CHUNK = 1 << 20
HEAD = 512
SHORTEST_WIDE = 8  # bytes that are enough to take a text for UTF-16
PROGRESS_SECONDS = 2.0
AHEAD = 256  # files hashed ahead of the one that is sent
DISK_TYPES = {"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "f2fs"}
DPKG = "/var/lib/dpkg"
PYC_HEADER = 16  # PEP 552: magic, flags, the source's mtime and size
ALGORITHMS = {
    "(none)": "md5",
    "0": "md5",
    "1": "md5",
    "2": "sha1",
    "8": "sha256",
    "9": "sha384",
    "10": "sha512",
}
"""RPM's numbers (RFC 4880, 9.4) to hashlib's names."""

# The standard way to a package's signature, as `rpm -qi` prints it; one line a package, one a file.
RPM_FORMAT = (
    "P %|DSAHEADER?{1}:{%|RSAHEADER?{1}:{%|SIGGPG?{1}:{%|SIGPGP?{1}:{0}|}|}|}| %{FILEDIGESTALGO}\\n"
    "[F %{FILEDIGESTS} %{FILENAMES}\\n]"
)

# What a machine makes for itself at boot; user data is no secret of the image.
MADE_AT_BOOT = re.compile(
    rb"/etc/ssh/ssh_host_[^/]+_key(\.pub)?$|/(var/)?tmp/systemd-private-|/tmp/\.[^/]*-unix(/|$)"
)
DEEPEST = 4
"""Archives within archives that are opened; what is deeper is read as it is."""

AR_HEADER = 60  # ar(5)
GIT_OBJECT = re.compile(r"/objects/[0-9a-f]{2}/[0-9a-f]{38,62}$")
GIT_OFFSET_DELTA, GIT_NAMED_DELTA = 6, 7  # gitformat-pack(5)

BROKEN = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, IndexError, zlib.error, lzma.LZMAError,
          tarfile.TarError, zipfile.BadZipFile)  # fmt: skip
"""What the readers of archives raise for one that is damaged, encrypted, or of a kind they do not know."""

READABLE = re.compile(rb"[\t\x20-\x7e]{6,}|(?:[\x20-\x7e]\x00){6,}")


class Owned:
    """Digests of what packages brought, by path."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.digests: dict[str, set[tuple[str, str]]] = {}
        self._folders: dict[str, str] = {}

    def add(self, path: str, algorithm: str, digest: str) -> None:
        """One file; its folder may be a link, as /lib is one to /usr/lib."""
        folder, name = os.path.split("/" + path.lstrip("/"))
        if folder not in self._folders:
            real = os.path.realpath(self.root + folder)
            self._folders[folder] = real[len(self.root) :].rstrip("/")
        self.digests.setdefault(f"{self._folders[folder]}/{name}", set()).add((algorithm, digest))

    def dpkg(self) -> None:
        """What dpkg knows: md5sums of each package, and configuration files as they were delivered."""
        folder = self.root + DPKG + "/info"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        for name in names:
            if name.endswith(".md5sums"):
                for line in _lines(f"{folder}/{name}"):
                    digest, _, path = line.partition("  ")
                    self.add(path, "md5", digest)
        conffile = re.compile(r"^ (/.+) ([0-9a-f]{32})( obsolete)?$")
        for line in _lines(self.root + DPKG + "/status"):
            found = conffile.match(line)
            if found:
                self.add(found.group(1), "md5", found.group(2))
        diverted = _lines(self.root + DPKG + "/diversions")
        for old, new, _ in zip(diverted, diverted, diverted):
            for algorithm, digest in list(self.digests.get(old, ())):
                self.add(new, algorithm, digest)

    def rpm(self) -> None:
        """What RPM knows of the packages that somebody signed: an unsigned one is somebody's own."""
        try:
            done = subprocess.Popen(
                ["rpm", "-qa", "--queryformat", RPM_FORMAT], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            return
        signed, algorithm = False, ""
        for raw in done.stdout or ():
            words = raw.decode("utf-8", "surrogateescape").rstrip("\n").split(" ", 2)
            kind, one, two = [*words, "", ""][:3]
            if kind == "P":
                signed, algorithm = one == "1", ALGORITHMS.get(two, "")
            elif kind == "F" and signed and algorithm and one:
                self.add(two, algorithm, one)
        if done.wait() != 0:
            raise SystemExit("rpm -qa failed with exit status %d" % done.returncode)

    def pip(self, record: str) -> None:
        """What pip installed from an index; a direct_url.json says that it came from a folder or a repository."""
        if os.path.exists(os.path.join(os.path.dirname(record), "direct_url.json")):
            return
        base = os.path.dirname(os.path.dirname(record))[len(self.root) :]
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as text:
            for row in csv.reader(text):
                if len(row) > 1 and row[1].startswith("sha256="):
                    code = row[1][len("sha256=") :]
                    digest = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).hex()
                    self.add(os.path.normpath(os.path.join(base, row[0])), "sha256", digest)

    def has(self, path: str) -> bool:
        """Whether the file is what a package brought, byte for byte."""
        wanted = self.digests.get(path[len(self.root) :])
        if not wanted:
            return False
        hashes = {algorithm: hashlib.new(algorithm) for algorithm, _ in wanted}
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                for one in hashes.values():
                    one.update(chunk)
        digests = {(name, one.hexdigest()) for name, one in hashes.items()}
        return any(one in wanted for one in digests)


def _lines(path: str) -> Iterator[str]:
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as text:
            for line in text:
                yield line.rstrip("\n")


def compiled(path: str) -> bool:
    """Whether this is Python's own translation of a source that lies beside it, and is looked at itself."""
    folder, name = os.path.split(path)
    parent, cache = os.path.split(folder)
    if cache != "__pycache__" or not name.endswith(".pyc"):
        return False
    try:
        source = os.stat(os.path.join(parent, name.split(".", 1)[0] + ".py"))
        with open(path, "rb") as file:
            head = file.read(PYC_HEADER)
    except OSError:
        return False
    if len(head) < PYC_HEADER:
        return False
    flags, mtime, size = struct.unpack("<III", head[4:])
    unchanged = (mtime, size) == (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return bool(flags == 0 and unchanged)


def roots(root: str) -> list[str]:
    """Where file systems of the machine's disks begin."""
    found = [root or "/"]
    if not root:
        for line in _lines("/proc/self/mounts"):
            source, point, kind = line.split(" ")[:3]
            # A loop device is a file of the disk, and read-only: a snap.
            if kind in DISK_TYPES and source.startswith("/dev/") and not source.startswith("/dev/loop"):
                found.append(codecs.decode(point, "unicode_escape"))
    return found


def regular_files(root: str) -> list[str]:
    """Every regular file, each file system once."""
    machine_id = next(_lines(root + "/etc/machine-id"), "-")
    own = {f"{root}/var/log/journal/{machine_id}"}
    instance = f"{root}/var/lib/cloud/instance"
    if os.path.islink(instance):
        own.add(os.path.realpath(instance))
    files: list[str] = []
    devices = set()
    for start in roots(root):
        # A single file may be a mount, too.
        if not os.path.isdir(start) or os.lstat(start).st_dev in devices:
            continue
        device = os.lstat(start).st_dev
        devices.add(device)
        todo = [start]
        while todo:
            for entry in entries(todo.pop()):
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in own and entry.stat(follow_symlinks=False).st_dev == device:
                        todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    path = entry.path[len(root) :].encode("utf-8", "surrogateescape")
                    if not MADE_AT_BOOT.match(path):
                        files.append(entry.path)
    return files


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing if it is gone since."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


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
        """The last frame."""
        self.frame({"end": files, "owned": owned, "unreadable": unreadable})
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
    """Name, size and content of what an archive holds, or None for a file that is none."""
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

    told = 0.0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(files), AHEAD):
            some = files[start : start + AHEAD]
            for path, known in zip(some, pool.map(is_known, some)):
                if not known:
                    yield path
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
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
