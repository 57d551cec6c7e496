"""Findings name file, line and rule, never the secret; false alarms are forgiven with a reason."""

from pathlib import Path

import pytest

from pipeline import secretscan
from pipeline.errors import PipelineError
from pipeline.secretscan import Allowed, Finding

TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"


def test_found_in_sources(tmp_path: Path) -> None:
    role = tmp_path / "ansible/roles/web/defaults/main.yml"
    role.parent.mkdir(parents=True)
    role.write_text('web_password: "Kq7wX2mPz9LrT4v"\nother: "{{ web_password }}"\n')
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "test_x.py").write_text(f"key = '{TOKEN}'\n")
    found = secretscan.scan_sources(tmp_path, [])
    assert found == [Finding("ansible/roles/web/defaults/main.yml", 1, "Secret Keyword")]
    allowed = [Allowed("ansible/roles/*/defaults/main.yml", "Secret Keyword", "an example")]
    assert secretscan.scan_sources(tmp_path, allowed) == []
    assert secretscan.scan_sources(tmp_path, [Allowed("*", "Private Key", "another rule")]) == found


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
