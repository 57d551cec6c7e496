"""Stack files: found by a pattern, read as far as the checks need it."""

from pathlib import Path

import pytest

from pipeline.baking.variables import split_variables, template_variables
from pipeline.doctor import run, stacks, template
from pipeline.doctor.findings import Status
from pipeline.doctor.stacks import Place
from pipeline.errors import PipelineError

DEV = """config:
  aws:region: eu-west-1
  aws:profile: build
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


def test_what_the_checks_need(tmp_path: Path) -> None:
    stack = stacks.read("dev", write(tmp_path, DEV))
    assert stack.place == Place("eu-west-1", "build")
    assert stack.bakes
    assert stack.role == "web"
    assert stack.variables == {"source_image_owners": ["136693071363"]}
    assert stack.architecture == "arm64"
    assert stack.validation.clones == 3


def test_a_pinned_stack_does_not_bake(tmp_path: Path) -> None:
    assert not stacks.read(
        "dev", write(tmp_path, DEV + "  golden-image:image: ami-0123456789abcdef0\n")
    ).bakes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config: {}\n", "aws:region is required"),
        ("nothing", "is no stack file"),
        ("config:\n  aws:region: eu-west-1\n  golden-image:from: bake\n", "golden-image:channel is required"),
        (
            "config:\n  aws:region: eu-west-1\n  golden-image:channel: c\n",
            "does not say where its image comes from",
        ),
        (DEV.replace("    clones: 3", "    - clones"), "golden-image:validation is not valid"),
    ],
)
def test_a_file_that_is_none(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=message):
        stacks.read("dev", write(tmp_path, text))


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
    findings, found = run._read([], f"{tmp_path}/Pulumi.{{stack}}.yaml")
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


def test_what_a_file_sets_is_what_the_template_lets_it_set(tmp_path: Path) -> None:
    """The architecture follows a key of its own: it is not set as a variable, which is refused."""
    stack = stacks.read("dev", write(tmp_path, DEV))
    content, _ = split_variables(stack.variables, template_variables(Path("packer")), where="bake.variables")
    assert content == {"source_image_owners": ["136693071363"]}
    assert template.values(stack)["source_image_architecture"] == "arm64"
