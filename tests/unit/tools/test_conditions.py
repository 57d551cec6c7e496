"""What cannot work on this machine is said before anything is made."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tools import cache, conditions, gobuild, toolchain
from tools.say import SetupError

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.fixture(autouse=True)
def _new_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GOLDEN_IMAGE_TOOLS", "build")
    monkeypatch.setattr(conditions, "_no_lab", lambda: None)


def go(folder: Path, version: str, toolchain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a Go of that version on PATH."""
    program = folder / "go"
    program.write_text(f"#!/bin/sh\necho go{version}\necho {toolchain}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")


def test_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    with pytest.raises(SetupError, match=r"(?s)no Go on PATH, which pulumi .*gitleaks .* must be built with"):
        conditions.check(lab=False, required=False)


@pytest.mark.parametrize(
    ("version", "setting", "fits"),
    [
        ("1.19.8", "auto", False),
        ("1.22.0", "local", False),
        ("1.22.0", "auto", True),
        ("1.99.1", "local", True),
    ],
)
def test_the_age_of_go(
    version: str, setting: str, *, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 12's golang-go is 1.19; from 1.21 on, Go fetches what a module asks for."""
    go(tmp_path, version, setting, monkeypatch)
    if fits:
        assert conditions.check(lab=True, required=True)
        return
    with pytest.raises(SetupError, match=rf"go is go{version}; .* must be built with Go \d") as caught:
        conditions.check(lab=False, required=False)
    assert "GOTOOLCHAIN=auto" in str(caught.value)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go(tmp_path, "1.99.1", "local", monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(100e9, 98.5e9, 1.5e9))
    with pytest.raises(SetupError, match=r"cache has 1\.5 GB left, and the set-up needs 7 GB"):
        conditions.check(lab=False, required=False)


def test_no_lab_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go(tmp_path, "1.99.1", "local", monkeypatch)
    monkeypatch.setattr(conditions, "_no_lab", lambda: "the lab needs root; this is user id 1000")
    with pytest.raises(SetupError, match="needs root"):
        conditions.check(lab=True, required=True)
    assert not conditions.check(lab=True, required=False)
    assert "user id 1000; the end-to-end tests are left out" in capsys.readouterr().err


def test_what_is_built_already_needs_no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "has", lambda _kind, _key: True)
    monkeypatch.setattr(shutil, "which", lambda *_a, **_k: None)
    assert toolchain.to_build() == []
    conditions.check(lab=False, required=False)


@pytest.mark.parametrize(("text", "numbers"), [("1.26.8", (1, 26, 8)), ("1.23rc1", (1, 23)), ("devel", ())])
def test_versions_of_go(text: str, numbers: tuple[int, ...]) -> None:
    assert gobuild.parse_go(text) == numbers
