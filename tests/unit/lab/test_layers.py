"""Images share layers, and a layer lives as long as something stands on it."""

from pathlib import Path

import pytest

from lab.layers import BASE, INJECTED, LayerStore


@pytest.fixture
def store(tmp_path: Path) -> LayerStore:
    (tmp_path / "base").mkdir()
    store = LayerStore.open(tmp_path / "layers", tmp_path / "base")
    store.add("ami-base", [BASE])
    return store


def upper(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "file").write_text(name)
    return folder


def test_freeze_moves_the_disk_and_leaves_the_labs_own_files_out(store: LayerStore, tmp_path: Path) -> None:
    disk = upper(tmp_path, "disk")
    for name in INJECTED:
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text("the lab's")
    assert store.freeze("ami-1", [BASE], disk) == [BASE, "ami-1"]
    assert not disk.exists()
    assert (store.path("ami-1") / "file").read_text() == "disk"
    assert not any((store.path("ami-1") / name).exists() for name in INJECTED)


def test_lowerdir_has_the_topmost_first(store: LayerStore, tmp_path: Path) -> None:
    layers = store.freeze("ami-1", [BASE], upper(tmp_path, "one"))
    assert store.lowerdir(layers) == f"{tmp_path}/layers/ami-1:{tmp_path}/base"


def test_a_layer_under_another_image_stays(store: LayerStore, tmp_path: Path) -> None:
    below = store.freeze("ami-1", [BASE], upper(tmp_path, "one"))
    store.freeze("ami-2", below, upper(tmp_path, "two"))
    store.drop("ami-1", [])
    assert store.path("ami-1").is_dir()
    store.drop("ami-2", [])
    assert not store.path("ami-1").exists()
    assert not store.path("ami-2").exists()


def test_a_layer_under_a_machine_stays(store: LayerStore, tmp_path: Path) -> None:
    layers = store.freeze("ami-1", [BASE], upper(tmp_path, "one"))
    store.drop("ami-1", [layers])
    assert store.path("ami-1").is_dir()
    store.collect([])
    assert not store.path("ami-1").exists()


def test_the_index_survives(store: LayerStore, tmp_path: Path) -> None:
    store.freeze("ami-1", [BASE], upper(tmp_path, "one"))
    again = LayerStore.open(tmp_path / "layers", tmp_path / "base")
    assert again.images == {"ami-base": [BASE], "ami-1": [BASE, "ami-1"]}
