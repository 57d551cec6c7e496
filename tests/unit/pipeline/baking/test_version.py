"""The oldest Packer that will do is the same everywhere, and an older one is refused by name."""

import re
from pathlib import Path

import pytest

from pipeline.baking import version
from pipeline.doctor import machine
from pipeline.errors import PipelineError
from tools import pinned
from tools.venv import PROJECT


def packer(folder: Path, text: str, status: int = 0) -> None:
    script = folder / "packer"
    script.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
    script.chmod(0o755)


@pytest.mark.parametrize("text", ["Packer v1.12.0", "Packer v1.16.0", "Packer v1.13.1-dev", "Packer v2.0.0"])
def test_new_enough(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packer(tmp_path, text)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    version.require()


@pytest.mark.parametrize(
    ("text", "status", "what"),
    [
        ("Packer v1.11.9", 0, "packer is too old"),
        ("Packer v0.13.0", 0, "packer is too old"),
        ("of my own making", 0, "does not print its version"),
        ("Packer v1.16.0", 1, "does not print its version"),
    ],
)
def test_refused(text: str, status: int, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packer(tmp_path, text, status)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(PipelineError, match=what) as caught:
        version.require()
    assert text.removeprefix("Packer v") in (caught.value.seen or "")
    assert str(tmp_path / "packer") in (caught.value.seen or "")
    assert caught.value.allowed == "Packer 1.12.0 or newer; 1.14.0 or newer is recommended"


def test_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match="packer is not on PATH"):
        version.require()


def test_the_oldest_is_the_same_everywhere() -> None:
    template = (PROJECT / "packer/plugins.pkr.hcl").read_text()
    required = re.search(r'required_version = ">= ([\d.]+)"', template)
    assert required is not None
    assert required[1] == pinned.OLDEST_PACKER.version == ".".join(map(str, version.OLDEST))
    assert machine.PACKER.oldest == version.OLDEST
    assert machine.PACKER.recommended == version.RECOMMENDED
