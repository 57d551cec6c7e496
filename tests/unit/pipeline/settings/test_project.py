"""Defaults of the project: the program and the commands that read files see the same settings."""

import json
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.settings import load
from pipeline.settings.project import defaults

PROJECT = """name: golden-image
runtime: python
config:
  golden-image:role:
    type: string
    description: What the machines are for
    default: db
  golden-image:validation:
    default: {clones: 3}
  architecture: arm64
  aws:region:
    value: eu-central-1
"""
STACK = """config:
  golden-image:channel: prod
  golden-image:from: candidate
  golden-image:architecture: x86_64
"""
ENGINE = {
    "aws:region": "eu-central-1",
    "golden-image:role": "db",
    "golden-image:channel": "prod",
    "golden-image:from": "candidate",
    "golden-image:architecture": "x86_64",
    "golden-image:validation": json.dumps({"clones": 3}),
}


def write(folder: Path, project: str = PROJECT, stack: str = STACK) -> Path:
    (folder / "Pulumi.yaml").write_text(project)
    path = folder / "Pulumi.prod.yaml"
    path.write_text(stack)
    return path


def test_both_doors_lead_to_the_same_settings(tmp_path: Path) -> None:
    path = write(tmp_path)
    found = load.read("prod", path)
    assert found.role == "db"
    assert found.validation.clones == 3
    assert found == load.parse(ENGINE, stack="prod", stack_file=str(path))


def test_the_stack_file_lies_below_the_project(tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    path = write(tmp_path).rename(tmp_path / "stacks/Pulumi.prod.yaml")
    assert load.read("prod", path).role == "db"


def test_a_project_without_config(tmp_path: Path) -> None:
    assert defaults(write(tmp_path, "name: golden-image\nruntime: python\n")) == {}
    assert defaults(write(tmp_path, "name: golden-image\nconfig:\n")) == {}


@pytest.mark.parametrize(
    ("project", "message"), [("[", "is not a stack file"), ("config: [a]\n", "called config")]
)
def test_a_project_file_that_is_none(tmp_path: Path, project: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as caught:
        defaults(write(tmp_path, project))
    assert "Pulumi.yaml" in str(caught.value)


def test_an_error_names_the_file_that_was_read(tmp_path: Path) -> None:
    path = write(tmp_path, stack=STACK + "  golden-image:validation: {clones: 0}\n")
    with pytest.raises(PipelineError, match="a whole number from 1 to 10") as caught:
        load.read("prod", path)
    assert f"golden-image:validation.clones in {path}" in str(caught.value)
