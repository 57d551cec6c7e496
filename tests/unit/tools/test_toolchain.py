"""Versions, downloads with their checksums, and which way a tool is to be had."""

import hashlib
import io
import os
import tarfile
import threading
import urllib.error
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools import downloads, pinned, toolchain
from tools.say import SetupError


@pytest.mark.parametrize(
    ("text", "version"),
    [("v3.250.0\n", (3, 250, 0)), ("Packer v1.12.0\n\nNew!", (1, 12, 0)), ("no version", None)],
)
def test_parse_version(text: str, version: tuple[int, int, int] | None) -> None:
    assert toolchain.parse_version(text) == version


def test_pins_are_read_from_go_mod() -> None:
    assert pinned.PULUMI.version == "3.274.1"
    assert pinned.PACKER.version == "1.16.0"
    assert [tool.version for tool in pinned.PLUGINS] == ["1.8.2", "1.0.3"]
    assert pinned.OLDEST_PULUMI.version == "3.250.0"
    assert pinned.OLDEST_PACKER.version == "1.12.0"
    assert [tool.version for tool in pinned.OLDEST_PLUGINS] == ["1.3.2", "1.0.3"]


def test_key_depends_on_flags() -> None:
    assert pinned.PACKER.key() != replace(pinned.PACKER, ldflags="-s").key()


def test_checksum_not_named() -> None:
    with pytest.raises(SetupError, match=r"does not name b\.zip"):
        downloads.find_checksum("abc  a.zip\n", "b.zip")


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_unpack_tar_takes_only_what_is_asked(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("pulumi/pulumi", "pulumi/other"):
            info = tarfile.TarInfo(name)
            info.size = 4
            archive.addfile(info, io.BytesIO(b"data"))
    downloads.unpack(buffer.getvalue(), "x.tar.gz", ("pulumi",), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pulumi"]
    assert os.access(tmp_path / "pulumi", os.X_OK)


def test_unpack_without_the_command(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not contain packer"):
        downloads.unpack(zipped(other=b""), "x.zip", ("packer",), tmp_path)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A download server on loopback: its address and its folder."""
    folder = tmp_path / "publisher"
    folder.mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0),
        lambda *args: Quiet(*args, directory=str(folder)),
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def tool_at(address: str) -> pinned.Tool:
    return replace(
        pinned.PACKER,
        archive=address + "/packer_{platform}.zip",
        checksums=address + "/SUMS",
        platforms=((os.uname().machine, "here"),),
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_CACHE", str(tmp_path / "cache"))


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="official downloads are used on Linux")
class TestDownload:
    def test_verified_and_used(self, publisher: tuple[str, Path]) -> None:
        address, folder = publisher
        data = zipped(packer=b"#!/bin/sh\n")
        (folder / "packer_here.zip").write_bytes(data)
        (folder / "SUMS").write_text(f"{hashlib.sha256(data).hexdigest()}  packer_here.zip\n")
        found = toolchain._download(tool_at(address))
        assert found is not None
        assert os.access(found / "packer", os.X_OK)

    def test_wrong_checksum_is_refused(self, publisher: tuple[str, Path]) -> None:
        address, folder = publisher
        (folder / "packer_here.zip").write_bytes(zipped(packer=b"evil"))
        (folder / "SUMS").write_text(f"{'0' * 64}  packer_here.zip\n")
        with pytest.raises(SetupError, match="does not have the SHA-256"):
            toolchain._download(tool_at(address))

    def test_out_of_reach(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        def refuse(*_words: str) -> bytes:
            raise urllib.error.URLError("no route")

        monkeypatch.setattr(downloads, "fetch", refuse)
        assert toolchain._download(tool_at("https://127.0.0.1")) is None
        assert "out of reach (no route)" in capsys.readouterr().err


def fake_tool(folder: Path, name: str, prints: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "enough"), [("1.16.0", True), ("1.17.3", True), ("1.15.9", False), ("2.0.0", False)]
)
def test_a_tool_on_path_must_be_new_enough(
    version: str, *, enough: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, "packer", f"Packer v{version}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert toolchain._on_path(pinned.PACKER, ("packer",)) is enough


def test_a_mode_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_TOOLS", "magic")
    with pytest.raises(SetupError, match="'magic'; it can be one of auto, build, oldest"):
        toolchain.ensure()
