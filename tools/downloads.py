"""Official downloads: fetched, held against the publisher's checksum, and unpacked."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import urllib.request
import zipfile
from pathlib import Path

from tools.progress import BOARD
from tools.say import SetupError

CONNECT_SECONDS = 10.0
_BLOCK = 1 << 20


def fetch(url: str, checksums: str, what: str) -> bytes:
    """The file at `url`, held against its publisher's file of SHA-256 sums.

    Raises:
        SetupError: It has another sum, or none is named for it.
        URLError: It cannot be had.
    """
    expected = find_checksum(_get(checksums, f"{what}: checksums").decode(), url.rsplit("/", 1)[-1])
    data = _get(url, what)
    if hashlib.sha256(data).hexdigest() != expected:
        raise SetupError(f"{url} does not have the SHA-256 that its publisher states, {expected}")
    return data


def _get(url: str, what: str) -> bytes:
    with (
        urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer,  # noqa: S310 - https constants
        BOARD.step(what, "MB") as step,
    ):
        step.total = int(answer.headers.get("Content-Length") or 0) >> 20
        blocks: list[bytes] = []
        while block := answer.read(_BLOCK):
            blocks.append(block)
            step.done = sum(map(len, blocks)) >> 20
    return b"".join(blocks)


def find_checksum(text: str, name: str) -> str:
    """The SHA-256 of `name` in a publisher's file of sums.

    Raises:
        SetupError: The file does not name it.
    """
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].lstrip("*") == name:  # noqa: PLR2004
            return words[0]
    raise SetupError(f"the publisher's list of checksums does not name {name}")


def unpack(data: bytes, name: str, takes: tuple[str, ...], folder: Path) -> None:
    """Put the commands `takes` of an archive (.zip or .tar.gz) into `folder`.

    Raises:
        SetupError: The archive lacks one.
    """
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {Path(n).name: archive.read(n) for n in archive.namelist() if Path(n).name in takes}
    else:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            members = {
                Path(info.name).name: file.read()
                for info in archive
                if Path(info.name).name in takes and (file := archive.extractfile(info))
            }
    for command in takes:
        if command not in members:
            raise SetupError(f"{name} does not contain {command}")
        (folder / command).write_bytes(members[command])
        make_executable(folder / command)


def make_executable(path: Path) -> None:
    """Let everybody run a file."""
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
