"""Stack files that nobody would write: refused with one error, byte for byte as they were, or changed by one line."""

import difflib
import os
import random
import re
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.settings import load
from pipeline.settings.stackfile import StackFile
from tools.checks import PROJECT

FILES = int(os.environ.get("GOLDEN_IMAGE_MUTATIONS", "40"))
"""Mutated files a part; `GOLDEN_IMAGE_MUTATIONS=5000` for a long look."""

NEW = "ami-0000000000000000b"
BASES = (
    (PROJECT / "Pulumi.dev.yaml").read_text(),
    (PROJECT / "Pulumi.prod.yaml").read_text(),
    (
        "x: &x\n  golden-image:role: web\n  golden-image:image: ami-0000000000000000a\nconfig:\n  <<: *x\n"
        "  aws:region: eu-west-1\n  golden-image:channel: prod\n  golden-image:from: candidate\n"
        '  golden-image:image: "ami-0000000000000000a"  # since Monday\n'
    ),
)
JUNK = (
    "<<: *x", "&x ", "*x", "*y", "!!int x", "!!binary aGk=", "!!python/object:os.system x", "2026-01-31",
    "2026-13-45",
    "1.10", "1e999", ".nan", "0x", "9" * 5000, "\t", "\r", "\r\n", "\x85", "\u2028", "\ufeff", "\x00", "\x1b[31m",
    "\u202e",
    "? ", "- ", "|", ">-", "'", '"', "{", "}", "[", "]", "#", ":", ": ", "%YAML 1.1", "---", "...", "~", "null",
    "[" * 2000,
    "golden-image:image: x", "golden-image:image:", "golden-image:from: [a]", "config: {}", "\u0661", "é",
    "  golden-image:image: |\n    ami-0000000000000000a\n", "golden-image:image: &y ami-0000000000000000a",
)  # fmt: skip


def mutated(text: str, dice: random.Random) -> bytes:
    """The text with one to three accidents."""
    for _ in range(dice.randint(1, 3)):
        lines = text.splitlines(keepends=True)
        at, row = dice.randrange(len(text) + 1), dice.randrange(len(lines)) if lines else 0
        match dice.randrange(8):
            case 0:
                text = text[:at] + dice.choice(JUNK) + text[at:]
            case 1:
                text = text[:at] + text[at + dice.randint(1, 20) :]
            case 2 if lines:
                text = "".join([*lines[:row], dice.choice(lines), *lines[row:]])
            case 3 if lines:
                text = "".join([*lines[:row], *lines[row + 1 :]])
            case 4:
                text = text.replace("\n", dice.choice(["\r\n", "\r", "\n\n", ""]))
            case 5 if lines:
                text = "".join(
                    [*lines[:row], " " * dice.randint(0, 4) + dice.choice(JUNK) + "\n", *lines[row:]]
                )
            case 6:
                text = re.sub(r": .*", lambda _: f": {dice.choice(JUNK)}", text, count=1)
            case _:
                text = (
                    text[:at]
                    + chr(dice.choice([0, 7, 9, 27, 0x85, 0xA0, 0x2028, 0xFEFF, 0x1F600]))
                    + text[at:]
                )
    content = text.encode()
    if dice.random() < 0.1:
        at = dice.randrange(len(content) + 1)
        content = content[:at] + bytes([dice.randrange(128, 256)]) + content[at:]
    return content


def read_everything(file: StackFile) -> None:
    """All of it is read, or the error says why not."""
    try:
        file.config()
    except PipelineError as error:
        readable(error)


def readable(error: PipelineError) -> None:
    text = str(error)
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert len(text) < 8_000


def changed_lines(before: bytes, after: bytes) -> tuple[int, int]:
    """How many lines are gone, and how many new."""
    old, new = (re.findall(rb"[^\r\n]*(?:\r\n|\r|\n|$)", content) for content in (before, after))
    gone, came = 0, 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            gone, came = gone + b - a, came + d - c
    return gone, came


@pytest.mark.parametrize("part", range(6))
def test_a_mutated_stack_file(tmp_path: Path, part: int) -> None:
    path = tmp_path / "Pulumi.prod.yaml"
    pinned = 0
    for number in range(FILES):
        seed = f"{part}.{number}"
        dice = random.Random(seed)  # reproducible
        content = mutated(dice.choice(BASES), dice)
        path.write_bytes(content)
        try:
            try:
                load.read("prod", path)
            except PipelineError as error:
                readable(error)
            file = StackFile.read(path)
            read_everything(file)
            new = file.with_pin(NEW)
        except PipelineError as error:
            readable(error)
            assert path.read_bytes() == content, seed
            continue
        except Exception as error:
            raise AssertionError(f"seed {seed}: {content!r}") from error
        assert path.read_bytes() == content, f"seed {seed}: nothing is written before it is asked for"
        new.write()
        pinned += 1
        gone, came = changed_lines(content, path.read_bytes())
        # A last line without an end gets one.
        most = 1 + (not content.endswith((b"\n", b"\r")))
        assert gone <= most, f"seed {seed}: {content!r}"
        assert came <= most, f"seed {seed}: {content!r}"
        assert StackFile.read(path).config()["golden-image:image"] == NEW, f"seed {seed}: {content!r}"
    assert pinned, "some of them are stack files still"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
