"""The host's switches are turned up, never down, and put back."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab import settings, switches
from lab.settings import LabSettings


@pytest.fixture
def lab(tmp_path: Path) -> LabSettings:
    return replace(settings.load(), state_dir=tmp_path / "labs" / "main")


def test_turned_and_put_back(lab: LabSettings, tmp_path: Path) -> None:
    lab.state_dir.mkdir(parents=True)
    low, high = tmp_path / "low", tmp_path / "high"
    low.write_text("0\n")
    high.write_text("9000\n")
    least = {low: 1, high: 4096}
    switches.turn(lab, least)
    assert (low.read_text(), high.read_text()) == ("1\n", "9000\n")
    switches.turn(lab, least)
    switches.put_back(lab)
    assert (low.read_text(), high.read_text()) == ("0\n", "9000\n")
    switches.put_back(lab)
    assert list(lab.state_dir.parent.iterdir()) == [lab.state_dir]
