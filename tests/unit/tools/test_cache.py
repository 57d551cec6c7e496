"""An entry counts only when it is whole, and is made once."""

import threading
from pathlib import Path

import pytest

from tools import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_CACHE", str(tmp_path))


def fill(folder: Path) -> None:
    (folder / "content").write_text("whole")


def test_built_once() -> None:
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        fill(folder)

    assert cache.entry("kind", "key", build) == cache.entry("kind", "key", build)
    assert len(built) == 1


def test_what_a_failed_build_left_is_not_taken_for_an_entry() -> None:
    def half(folder: Path) -> None:
        (folder / "half").touch()
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        cache.entry("kind", "key", half)
    folder = cache.entry("kind", "key", fill)
    assert (folder / "content").read_text() == "whole"
    assert not (folder / "half").exists()


def test_two_at_once_end_in_one_build() -> None:
    built = []
    started = threading.Event()
    go_on = threading.Event()

    def slow(folder: Path) -> None:
        built.append(folder)
        started.set()
        assert go_on.wait(300)
        fill(folder)

    first = threading.Thread(target=cache.entry, args=("kind", "key", slow))
    first.start()
    assert started.wait(300)
    second = threading.Thread(target=cache.entry, args=("kind", "key", slow))
    second.start()
    go_on.set()
    first.join(300)
    second.join(300)
    assert len(built) == 1


def test_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GOLDEN_IMAGE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.root() == tmp_path / "xdg" / "golden-image"
