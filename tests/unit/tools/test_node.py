"""What runs .gitlab-ci.yml is pinned with hashes, wherever it comes from, and needs a Node.js that is new enough."""

import json
from pathlib import Path

import pytest

from tools import node, packages
from tools.say import SetupError


def test_the_lock_has_a_hash_of_each_package_and_no_address() -> None:
    lock = json.loads((node.SOURCE / "package-lock.json").read_text())
    found = {name: package for name, package in lock["packages"].items() if name}
    assert "node_modules/gitlab-ci-local" in found
    assert [name for name, package in found.items() if "integrity" not in package] == []
    assert [name for name, package in found.items() if "resolved" in package] == []


def program(folder: Path, name: str, prints: str = "") -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with rsync and npm alone, on a host that has no packages of Debian."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("GOLDEN_IMAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(packages, "_debian", lambda: False)
    for name in ("npm", "rsync"):
        program(tmp_path, name)
    return tmp_path


def test_no_node(bare: Path) -> None:
    with pytest.raises(SetupError, match="not on PATH: node; "):
        node.ensure()


@pytest.mark.parametrize("version", ["v16.20.0", "of my own making"])
def test_a_node_that_will_not_do(version: str, bare: Path) -> None:
    program(bare, "node", version)
    with pytest.raises(SetupError, match=f"node is {version}; 18 or newer is needed"):
        node.ensure()
    assert not (bare / "cache").exists()


def test_it_is_installed_from_the_lock(bare: Path) -> None:
    program(bare, "node", "v20.1.0")
    (bare / "npm").write_text('#!/bin/sh\necho "$*" > called\n')
    command = node.ensure()
    folder = command.parents[2]
    assert (folder / "called").read_text() == "ci\n"
    assert (folder / "package-lock.json").read_bytes() == (node.SOURCE / "package-lock.json").read_bytes()
