"""Stack files: found by a pattern, read as far as the checks need it."""

from pathlib import Path

import pytest

from pipeline.doctor import run, stacks
from pipeline.doctor.findings import Status
from pipeline.doctor.stacks import Purpose
from pipeline.settings import load
from tests.unit.pipeline.doctor import making

DEV = """config:
  aws:region: eu-west-1
  aws:profile: build
  golden-image:role: web
  golden-image:channel: candidate
  golden-image:from: bake
  golden-image:architecture: arm64
  golden-image:bake:
    variables:
      source_image_owners: ["136693071363"]
  golden-image:validation:
    clones: 3
"""


def write(folder: Path, text: str, name: str = "dev") -> Path:
    path = folder / f"Pulumi.{name}.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("purpose", "text", "policy"),
    [
        ("update", DEV, "bake"),
        ("update", DEV + "  golden-image:image: ami-0123456789abcdef0\n", "promote"),
        ("update", DEV.replace("from: bake", "from: build"), "promote"),
        ("preview", DEV, "preview"),
        ("operate", DEV, "operate"),
    ],
)
def test_the_policy_of_the_work(purpose: Purpose, text: str, policy: str, tmp_path: Path) -> None:
    stack = stacks.Stack(load.read("dev", write(tmp_path, text)), purpose)
    assert stack.policy == policy


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("2026-01-31", "a date to YAML"),
        ("1.10", "1.10, a number that YAML reads as 1.1"),
        ("1.0", "reads as 1"),
    ],
)
def test_one_stack_that_cannot_be_read_is_one_finding(tmp_path: Path, written: str, seen: str) -> None:
    text = DEV.replace(
        "      source_image_owners", f"      image_version: {written}\n      source_image_owners"
    )
    write(tmp_path, text)
    write(tmp_path, DEV, "prod")
    findings, found = run._read([], f"{tmp_path}/Pulumi.{{stack}}.yaml", "update")
    assert [stack.name for stack in found] == ["prod"]
    bad, good = findings
    assert (bad.status, good.status) == (Status.FAIL, Status.OK)
    assert seen in bad.seen
    assert "golden-image:bake.variables.image_version in " in bad.cure


def test_stacks_by_their_files(tmp_path: Path) -> None:
    for name in ("prod", "dev"):
        write(tmp_path, DEV, name)
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    assert stacks.names(f"{tmp_path}/Pulumi.{{stack}}.yaml") == ["dev", "prod"]
    assert stacks.path_of("lab/Pulumi.{stack}.yaml", "dev") == Path("lab/Pulumi.dev.yaml")
    assert stacks.names(f"{tmp_path}/Pulumi.dev.yaml") == []


def test_the_architecture_of_the_source_image_is_the_stacks(tmp_path: Path) -> None:
    stack = stacks.Stack(load.read("dev", write(tmp_path, DEV)))
    assert stack.variables["source_image_owners"] == ["136693071363"]
    assert stack.variables["source_image_architecture"] == "arm64"


@pytest.mark.parametrize(("architecture", "size"), [("x86_64", "t3.medium"), ("arm64", "t4g.medium")])
def test_the_builder_is_the_one_that_a_bake_would_launch(architecture: str, size: str) -> None:
    values = making.stack(architecture=architecture).variables
    assert (values["source_image_architecture"], values["instance_type"]) == (architecture, size)
    assert values["image_role"] == "web"
