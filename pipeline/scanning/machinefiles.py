"""The files of a machine that no package owns, as they come: in batches of bounded size, on this machine's disk."""

from __future__ import annotations

import json
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BATCH_BYTES = 32 * 1024 * 1024
BATCH_FILES = 5_000
STEP_BYTES = 1 << 20
"""How much is unpacked at once."""

NPM = "npm-installed"
"""The folder of what npm installed, which gitleaks.toml names too."""

OVERLAP_BYTES = 4096
"""What a file's next part repeats of the one before, so that no secret is cut in two."""


@dataclass(frozen=True, kw_only=True)
class MachineFile:
    """One file of the machine.

    Attributes:
        path: Without its first slash.
        size: In bytes.
        head: Its first bytes.
        binary: Whether it is not text.
        inside: Whether it is a member of an archive, whose path comes before `!/`.
    """

    path: str
    size: int
    head: bytes
    binary: bool
    inside: bool


@dataclass
class Batch:
    """Some of the files, below a folder that lives as long as the batch is looked at.

    Attributes:
        root: The folder. A file's text has a number for a name, so that no rule lets it pass for its path; what npm
            installed is in a folder of its own.
        files: Name below the folder to what it is of.
        earlier: The number of lines that earlier batches had of the first file, if it goes on here.
        size: In bytes.
    """

    root: Path
    files: dict[str, MachineFile] = field(default_factory=dict)
    earlier: int = 0
    size: int = 0

    def begin(self, file: MachineFile) -> Path:
        """Where the text of a file goes: after an empty line, for gitleaks skips what begins as binary files do."""
        number = str(len(self.files))
        name = f"{NPM}/{number}" if "/node_modules/" in file.path else number
        self.files[name] = file
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_bytes(b"\n")
        return self.root / name

    def append(self, target: Path, data: bytes) -> None:
        """Some more of a file's text."""
        with target.open("ab") as out:
            out.write(data)
        self.size += len(data)


@dataclass(kw_only=True)
class Totals:
    """What the machine counted.

    Attributes:
        files: All regular files of its disk.
        owned: Those that are as a package brought them.
        unreadable: Paths of some that could not be read.
        worked: How long the machine's processors worked for it, in seconds.
    """

    files: int = 0
    owned: int = 0
    unreadable: tuple[str, ...] = ()
    worked: float = 0.0


def frames(chunks: Iterable[bytes]) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The frames of `collector`, each with its data.

    Raises:
        PipelineError: The stream is not one, or ends too early.
    """
    unpacking = zlib.decompressobj()
    rest = bytearray()
    frame: dict[str, Any] | None = None
    for chunk in chunks:
        packed = chunk
        while packed:
            try:
                rest += unpacking.decompress(packed, STEP_BYTES)
                packed = unpacking.unconsumed_tail
                while True:
                    if frame is None:
                        end = rest.find(b"\n")
                        if end < 0:
                            break
                        frame = json.loads(rest[:end])
                        del rest[: end + 1]
                    length = frame.get("data", 0)
                    if len(rest) < length:
                        break
                    yield frame, bytes(rest[:length])
                    del rest[:length]
                    if "end" in frame:
                        return
                    frame = None
            except (zlib.error, ValueError) as error:
                raise PipelineError(
                    "what the machine sent of its files is not readable", seen=str(error)
                ) from None
    raise PipelineError(
        "the machine stopped sending its files before their end",
        change="`pulumi up` again; if it happens again: is the validation machine out of memory or disk?",
    )


class Batches:
    """Writes files as they come, and hands them on whenever enough is there.

    Args:
        look: Called with each batch; its folder is gone afterwards.
        progress: Called with the number of files that the machine has looked at, and of all.
    """

    def __init__(self, look: Callable[[Batch], None], progress: Callable[[int, int], None]) -> None:
        self._look = look
        self._progress = progress
        self.totals = Totals()

    def run(self, chunks: Iterable[bytes]) -> Totals:
        """Read the stream to its end.

        Raises:
            PipelineError: It is not readable, or a path leads out of the folder.
        """
        coming = frames(chunks)
        current: MachineFile | None = None
        lines, tail = 0, b""
        ended = False
        while not ended:
            with tempfile.TemporaryDirectory(prefix="golden-image-") as folder:
                batch = Batch(Path(folder))
                target = Path()
                if current:
                    batch.earlier = lines - tail.count(b"\n")
                    target = batch.begin(current)
                    batch.append(target, tail)
                for frame, data in coming:
                    if "end" in frame:
                        self._end(frame)
                        ended = True
                    elif "progress" in frame:
                        self._progress(frame["progress"], frame["files"])
                    elif "file" in frame:
                        current, lines, tail = _file(frame), 0, b""
                        target = batch.begin(current)
                    else:
                        lines, tail = lines + data.count(b"\n"), data[-OVERLAP_BYTES:]
                        batch.append(target, data)
                    if ended or batch.size > BATCH_BYTES or len(batch.files) > BATCH_FILES:
                        break
                self._look(batch)
        return self.totals

    def _end(self, frame: dict[str, Any]) -> None:
        self.totals = Totals(
            files=int(frame["end"]),
            owned=int(frame["owned"]),
            unreadable=tuple(frame["unreadable"]),
            worked=float(frame["worked"]),
        )


def _file(frame: dict[str, Any]) -> MachineFile:
    path = str(frame["file"])
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not path:
        raise PipelineError("the machine sent a file with an invalid path", seen=repr(path))
    return MachineFile(
        path=path,
        size=int(frame["size"]),
        head=bytes.fromhex(frame["head"]),
        binary=bool(frame["binary"]),
        inside=bool(frame["inside"]),
    )
