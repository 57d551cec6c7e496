"""False alarms are forgiven with a reason."""

from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.scanning import secretscan


@pytest.mark.parametrize(
    "text", ["- file: x\n  rule: y\n", "- file: x\n  rule: y\n  reason: ''\n", "file: x\n", "- [\n"]
)
def test_an_allow_list_without_reasons_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "allowed.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError, match="allow-list of secrets cannot be read"):
        secretscan.read_allowed(path)


def test_no_allow_list(tmp_path: Path) -> None:
    assert secretscan.read_allowed(tmp_path / "none.yaml") == []
    assert secretscan.read_allowed() == []
