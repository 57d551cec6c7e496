"""What must be there is asked for before Packer starts, which costs minutes."""

from pathlib import Path

import pytest

from pipeline.baking import packer
from pipeline.errors import PipelineError
from tests.unit.pipeline.baking.test_version import packer as packer_that_prints


def test_without_gitleaks_packer_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packer_that_prints(tmp_path, "Packer v1.16.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "state"
    folder.mkdir()
    with (folder / "lock").open("w") as lock, pytest.raises(PipelineError, match="gitleaks is not on PATH"):
        packer.build(folder, {}, lock, limit_seconds=60)
    assert [path.name for path in folder.iterdir()] == ["lock"]
