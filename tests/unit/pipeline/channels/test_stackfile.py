"""A pin is one line; every other character of the stack file stays."""

from pathlib import Path

import pytest

from pipeline.channels.stackfile import StackFile
from pipeline.errors import PipelineError

TEXT = """\
# prod takes what candidate holds
config:
    aws:region: eu-west-1   # Ireland
    golden-image:channel: prod
    golden-image:from: candidate  # not "latest"
    # golden-image:image: ami-00000000000000000
    golden-image:fleet: {instanceType: "t3.medium"}
"""
OLD, NEW = "ami-0000000000000000a", "ami-0000000000000000b"


def stack_file(tmp_path: Path, text: str) -> StackFile:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(text)
    return StackFile.read(path)


def added(old: str, new: str) -> list[str]:
    return [line for line in new.splitlines() if line not in old.splitlines()]


def test_a_new_line_below_the_source(tmp_path: Path) -> None:
    file = stack_file(tmp_path, TEXT)
    new = file.with_pin(NEW)
    lines = new.text.splitlines()
    assert lines[5] == f"    golden-image:image: {NEW}"
    assert lines[:5] + lines[6:] == TEXT.splitlines()
    assert f"+    golden-image:image: {NEW}" in file.diff(new)


@pytest.mark.parametrize("written", [OLD, f'"{OLD}"', f"'{OLD}'"])
def test_a_pin_that_is_there_changes_in_place(tmp_path: Path, written: str) -> None:
    text = TEXT + f"    golden-image:image: {written}  # since Monday\n"
    new = stack_file(tmp_path, text).with_pin(NEW)
    assert added(text, new.text) == [f"    golden-image:image: {NEW}  # since Monday"]


def test_the_same_pin_changes_nothing(tmp_path: Path) -> None:
    text = TEXT + f"    golden-image:image: {OLD}\n"
    assert stack_file(tmp_path, text).with_pin(OLD).text == text


def test_a_file_without_a_last_newline(tmp_path: Path) -> None:
    text = "config:\n  golden-image:channel: prod\n  golden-image:from: candidate"
    assert stack_file(tmp_path, text).with_pin(NEW).text.endswith(f"\n  golden-image:image: {NEW}\n")


def test_a_form_that_one_line_cannot_change(tmp_path: Path) -> None:
    text = 'config: {"golden-image:channel": prod, "golden-image:from": candidate}\n'
    with pytest.raises(PipelineError, match="is not written as this command expects"):
        stack_file(tmp_path, text).with_pin(NEW)


@pytest.mark.parametrize("text", ["", "config:\n", "config: [1]\n", "config: {a: [\n"])
def test_no_stack_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(PipelineError, match="is no stack file"):
        stack_file(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="cannot be read"):
        StackFile.read(tmp_path / "Pulumi.prod.yaml")


def test_written_whole_with_its_mode(tmp_path: Path) -> None:
    file = stack_file(tmp_path, TEXT)
    file.path.chmod(0o640)
    file.with_pin(NEW).write()
    assert NEW in file.path.read_text()
    assert file.path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file.path]
