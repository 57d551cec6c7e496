"""The template: its defaults, and what Packer says of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.baking import source
from pipeline.doctor import image, run
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.stacks import Stack
from pipeline.errors import PipelineError
from tests.unit.pipeline.doctor.making import stack


def with_variables(**variables: str) -> Stack:
    return stack(bake={"variables": variables})


def test_the_defaults_of_the_real_template() -> None:
    found = with_variables(source_image_name="mine-*").variables
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
    misspelt = with_variables(image_verison="1")
    assert not misspelt.has_template()
    [finding] = run.run([run.Check(Subject("template", "stack dev"), lambda: image.template(misspelt))])
    assert finding.status is Status.FAIL
    assert "did you mean image_version?" in finding.cause
    assert "Pulumi.dev.yaml" in finding.cure


def test_no_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not with_variables().has_template()
    with pytest.raises(PipelineError, match="there is no Packer template"):
        list(image.template(with_variables()))


@pytest.mark.parametrize(
    ("code", "words", "status", "seen"),
    [
        (0, "", Status.OK, "is valid with the values of Pulumi.dev.yaml"),
        (
            1,
            "Missing plugins\n* github.com/hashicorp/amazon",
            Status.WARN,
            "missing: github.com/hashicorp/amazon",
        ),
        (1, "Error: no such source", Status.FAIL, "Error: no such source"),
    ],
)
def test_the_answer_of_packer(
    code: int, words: str, status: Status, *, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "packer"
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{words}\nEND\nexit {code}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    [finding] = image.template(with_variables())
    assert finding.status is status
    assert seen in finding.seen


def test_packer_is_asked_with_the_stacks_values(fake_packer: Callable[[str], Path]) -> None:
    folder = fake_packer("")
    [finding] = image.template(with_variables(image_version="7"))
    assert finding.status is Status.OK
    assert "validate -var-file=" in (folder / "calls").read_text()
