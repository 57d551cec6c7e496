"""An account for bakes."""

from pathlib import Path

import pytest

from pipeline.baking import bake, packer
from tests.unit.pipeline.baking.making import register_source


@pytest.fixture
def quick_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bake, "LAG_SECONDS", 0.1)
    monkeypatch.setattr(packer, "REPORTS", tmp_path / "reports")


@pytest.fixture
def source(aws: None) -> None:
    register_source("source-1")
