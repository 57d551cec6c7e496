"""A folder that need not exist yet, and the disk that it would be on."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from tools import disk

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.mark.parametrize(("needed", "full"), [(2, False), (3, True)])
def test_the_disk_of_a_folder_to_come(
    needed: int, *, full: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage(9e9, 6.5e9, 2.5e9)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    folder = tmp_path / "cache" / "new"
    found = disk.shortage(folder, needed, what="the set-up", variable="A_FOLDER")
    assert asked == [tmp_path]
    way_out = "make room, or set A_FOLDER to a folder on another disk"
    wanted = f"{folder} has 2.5 GB left, and the set-up needs 3 GB: {way_out}"
    assert found == (wanted if full else None)
