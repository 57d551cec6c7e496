"""The template: its defaults, and what Packer says of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.baking import source
from pipeline.doctor import template
from pipeline.doctor.findings import Status
from pipeline.doctor.stacks import Stack
from pipeline.errors import PipelineError
from tests.unit.pipeline.doctor.making import baking


def with_variables(**variables: str) -> Stack:
    return baking(variables=variables)


def test_the_defaults_of_the_real_template() -> None:
    found = template.values(with_variables(source_image_name="mine-*"))
    assert found["source_image_owners"] == ["309956199498"]
    assert found["source_image_name"] == "mine-*"
    assert found["subnet_id"] is None
    assert found["encrypt_boot"] is True
    assert found["instance_type"] == "t3.medium"


def test_a_template_that_cannot_be_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.pkr.hcl").write_text('variable "a" {\n  default = \n')
    with pytest.raises(PipelineError, match="cannot be read"):
        source.defaults(tmp_path)


def test_a_misspelt_variable() -> None:
    [finding] = template.check(with_variables(image_verison="1"))
    assert finding.status is Status.FAIL
    assert "did you mean 'image_version'?" in finding.cause
    assert "Pulumi.dev.yaml" in finding.cure


def test_no_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [finding] = template.check(with_variables())
    assert finding.status is Status.FAIL
    assert "there is no Packer template" in finding.cause


def test_packer_is_asked_with_the_stacks_values(fake_packer: Callable[[str], Path]) -> None:
    folder = fake_packer("")
    [finding] = template.check(with_variables(image_version="7"))
    assert finding.status is Status.OK
    assert "validate -var-file=" in (folder / "calls").read_text()
