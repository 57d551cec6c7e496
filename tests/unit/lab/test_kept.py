"""What a lab keeps is written in one piece; what is broken names the file and the way out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dill
import pytest

from lab import account, kept, manners, settings, switches
from lab.errors import LabError
from lab.layers import LayerStore


def test_written_and_read(tmp_path: Path) -> None:
    kept.write(tmp_path / "x.json", b"[1]")
    assert kept.read(tmp_path / "x.json", json.loads) == [1]
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


WHOLE = {
    "account.state": dill.dumps({"ec2": {}}),
    "images.json": b'{"ami-1": ["base"]}',
    "manners.json": b'{"names": [], "seed": 1}',
}
READ: dict[str, Callable[[Path], object]] = {
    "account.state": account.load,
    "images.json": lambda path: LayerStore.open(path.parent, path.parent),
    "manners.json": manners.kept,
}


@pytest.mark.parametrize("left", [0, 0.5], ids=["empty", "cut"])
@pytest.mark.parametrize("name", WHOLE)
def test_a_cut_file_names_reset(tmp_path: Path, name: str, left: float) -> None:
    path = tmp_path / name
    path.write_bytes(WHOLE[name][: int(len(WHOLE[name]) * left)])
    with pytest.raises(LabError, match=f"(?s){name} is cut or broken.*python -m lab reset"):
        READ[name](path)


def test_a_cut_record_of_the_hosts_switches_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = replace(settings.load(), state_dir=tmp_path / "main")
    record = tmp_path / "switches.json"
    record.write_text('{"/proc/sys')
    switches.put_back(lab)
    assert not record.exists()
    assert f"{record} is cut or broken" in capsys.readouterr().err
