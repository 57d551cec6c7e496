"""A pin is one line; every other character of the stack file stays."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.settings.stackfile import StackFile

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
    path.write_bytes(text.encode())
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
    with pytest.raises(PipelineError, match="is not a stack file"):
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


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("pinned", [True, False])
def test_every_line_end_stays(tmp_path: Path, end: str, *, pinned: bool) -> None:
    text = (TEXT + (f"    golden-image:image: {OLD}\n" if pinned else "")).replace("\n", end)
    file = stack_file(tmp_path, text)
    new = file.with_pin(NEW)
    new.write()
    before, after = text.encode().split(end.encode()), file.path.read_bytes().split(end.encode())
    assert len([line for line in after if line not in before]) == 1
    assert [line for line in after if NEW.encode() not in line] == [
        line for line in before if OLD.encode() not in line
    ]
    changed = [
        line for line in file.diff(new).splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert len(changed) == 1 + pinned
    assert file.diff(new).isascii()


def test_a_link_stays_and_its_file_changes(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target = stack_file(folder, TEXT).path
    link = tmp_path / "Pulumi.prod.yaml"
    link.symlink_to(target)
    StackFile.read(link).with_pin(NEW).write()
    assert link.is_symlink()
    assert NEW in target.read_text()
    assert list(folder.iterdir()) == [target]


def test_the_owner_stays(tmp_path: Path) -> None:
    owner = (1234, 2345) if os.getuid() == 0 else (os.getuid(), os.getgid())
    file = stack_file(tmp_path, TEXT)
    os.chown(file.path, *owner)
    file.with_pin(NEW).write()
    found = file.path.stat()
    assert (found.st_uid, found.st_gid) == owner


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may become longer than nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    new = stack_file(tmp_path, TEXT).with_pin(NEW)
    with full_disk(), pytest.raises(PipelineError, match="cannot be written, and is as it was"):
        new.write()
    assert [path.read_text() for path in tmp_path.iterdir()] == [TEXT]


def test_a_file_on_a_read_only_disk_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = stack_file(tmp_path, TEXT).with_pin(NEW)
    # To root every other file is writable.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PipelineError, match="cannot be written, and is as it was") as caught:
        new.write()
    assert "it is read-only" in str(caught.value)
    assert [path.read_text() for path in tmp_path.iterdir()] == [TEXT]


@pytest.mark.parametrize(
    "content",
    ["config:\n  golden-image:role: café\n".encode("latin-1"), TEXT.encode("utf-16"), TEXT.encode("utf-32")],
)
def test_not_utf_8(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"is not UTF-8 text|is not a stack file"):
        StackFile.read(path)
    assert path.read_bytes() == content


def test_keys_that_a_merge_brings(tmp_path: Path) -> None:
    base = "base: &base\n  golden-image:channel: prod\n  golden-image:image: " + OLD + "\n"
    text = base + "config:\n  <<: *base\n  golden-image:from: candidate\n"
    file = stack_file(tmp_path, text)
    assert file.config()["golden-image:channel"] == "prod"
    new = file.with_pin(NEW)
    assert added(text, new.text) == [f"  golden-image:image: {NEW}"]
    assert new.config()["golden-image:image"] == NEW
    with pytest.raises(PipelineError, match="is not written as this command expects"):
        stack_file(tmp_path, base + "config:\n  <<: *base\n").with_pin(NEW)


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("2026-01-31", "a date to YAML"),
        ("2026-01-31T12:00:00Z", "a date to YAML"),
        ("1.10", "1.10, a number that YAML reads as 1.1"),
        ("1.0", "YAML reads as 1\n"),
        ("!!binary aGk=", "no text to YAML"),
    ],
)
def test_what_yaml_makes_something_else_of(tmp_path: Path, written: str, seen: str) -> None:
    text = TEXT + f"    golden-image:bake: {{variables: {{image_version: {written}}}}}\n"
    file = stack_file(tmp_path, text)
    with pytest.raises(PipelineError, match=seen) as caught:
        file.config()
    assert "golden-image:bake.variables.image_version in " in str(caught.value)
    assert 'such as "1.10"' in str(caught.value)


def test_numbers_that_stay_what_they_are(tmp_path: Path) -> None:
    text = TEXT + "    golden-image:bake: {variables: {a: 1.5, b: 7, c: '1.10', d: true, e: ~}}\n"
    found = stack_file(tmp_path, text).config()["golden-image:bake"]
    assert found == {"variables": {"a": 1.5, "b": 7, "c": "1.10", "d": True, "e": None}}


def test_an_encrypted_value_is_left_out(tmp_path: Path) -> None:
    text = TEXT + (
        "    golden-image:bake: {variables: {a: {secure: 'v1:x'}, b: c}}\n"
        "    aws:profile: {secure: 'v1:y'}\n"
        "    other:key: 1.10\n"
    )
    found = stack_file(tmp_path, text).config()
    assert found["golden-image:bake"] == {"variables": {"b": "c"}}
    assert not found.keys() & {"aws:profile", "other:key"}
