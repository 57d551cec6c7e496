"""What is found of a lab is its own, not that of the lab whose name begins with the same letters."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lab import leftovers, network, settings

WAIT = "print('ready', flush=True); input()"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root may list nftables."""
    monkeypatch.setattr(network, "table_exists", lambda _: False)


@contextmanager
def process_with(word: str) -> Iterator[int]:
    """A process that has a word in its command line, as systemd-nspawn has its machine's folder."""
    argv = [sys.executable, "-S", "-c", WAIT, word]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process.pid
        process.communicate("\n")


def lab(folder: Path) -> settings.LabSettings:
    return replace(settings.load(), state_dir=folder)


def test_a_machine_belongs_to_the_lab_in_whose_folder_it_is(tmp_path: Path) -> None:
    with process_with(f"--directory={tmp_path}/test2/machines/i-1/root") as pid:
        own, other = (leftovers.find(lab(tmp_path / name))["processes"] for name in ("test2", "test"))
    # Keeper and server of a lab of this name, if one is up, are found as well.
    machine = f"{Path(sys.executable).name} ({pid})"
    assert machine in own
    assert machine not in other


def test_a_mount_belongs_to_the_lab_in_whose_folder_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = (
        f"overlay {tmp_path}/test2/machines/i-1/root overlay rw 0 0\ntmpfs {tmp_path}/test3 tmpfs rw 0 0\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda *_: mounts)
    found = {name: leftovers.find(lab(tmp_path / name))["mounts"] for name in ("test", "test2", "test3")}
    assert found == {
        "test": [],
        "test2": [f"{tmp_path}/test2/machines/i-1/root"],
        "test3": [f"{tmp_path}/test3"],
    }
