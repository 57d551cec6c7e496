"""Golden notes, rendered from previews that the real Pulumi made in the lab (tests/record_previews.py)."""

import copy
import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.model import Image, PointerVersion
from pipeline.review import facts, note, preview

HERE = Path(__file__).parent
RECORDED = sorted(path.stem for path in (HERE / "previews").glob("*.json"))
MANY = 200


class World:
    """What AWS knew when a preview was recorded."""

    def __init__(self, recorded: dict[str, Any]) -> None:
        self._images = {found["id"]: Image(**found) for found in recorded["images"]}
        self._history = [
            PointerVersion(**{**entry, "when": datetime.fromisoformat(entry["when"])})
            for entry in recorded["history"]
        ]

    def images(self, image_ids: Sequence[str]) -> dict[str, Image]:
        return {image: self._images[image] for image in image_ids if image in self._images}

    def pointer_history(self, role: str, channel: str) -> list[PointerVersion]:
        return self._history

    def held_before(self, role: str, channel: str) -> Mapping[str, datetime]:
        return {}

    def baked(self, bake_key: str) -> list[Image]:
        return [image for image in self._images.values() if image.tags.get("BakeKey") == bake_key]


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "previews" / f"{name}.json").read_text())
    return found


def render(recorded: dict[str, Any], limit: int = note.LIMIT) -> str:
    found = facts.gather(preview.parse(recorded["stack"], json.dumps(recorded["preview"])), World(recorded))
    now = datetime.fromisoformat(recorded["now"])
    return note.render([found], project="golden-image", now=now, limit=limit)


def many() -> dict[str, Any]:
    """A recorded preview with one change of it two hundred times."""
    recorded = read("new-image-prod")
    step = next(one for one in recorded["preview"]["steps"] if "launchTemplate" in one["urn"])
    for number in range(MANY):
        more = copy.deepcopy(step)
        more["urn"] += f"-{number}"
        recorded["preview"]["steps"].append(more)
    return recorded


def golden(name: str, text: str) -> None:
    path = HERE / "golden" / f"{name}.md"
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(text)
    assert text == path.read_text()


def test_all_are_recorded() -> None:
    assert RECORDED == [
        "failed-preview", "first-deployment", "new-image-dev", "new-image-prod", "nothing-to-do", "refused-pin",
        "rollback",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_golden(name: str) -> None:
    golden(name, render(read(name)))


def test_two_hundred_changes_stay_readable() -> None:
    text = render(many())
    golden("two-hundred-changes", text)
    assert len(text) < note.LIMIT
    assert text.count("\n") < 600


@pytest.mark.parametrize(
    ("limit", "left_out"),
    [
        (20_000, "and 495 lines more"),
        (4_000, "with all of the 205 changes; `pulumi preview` shows them"),
        (900, "The rest does not fit into a note; `pulumi preview` shows it"),
    ],
)
def test_it_fits_whatever_the_limit(limit: int, left_out: str) -> None:
    text = render(many(), limit=limit)
    assert len(text) <= limit
    assert text.startswith(note.marker("golden-image"))
    assert left_out in text, "where the rest is"


def test_no_secret_and_no_markup_gets_through() -> None:
    recorded = read("new-image-prod")
    step = next(one for one in recorded["preview"]["steps"] if "launchTemplate" in one["urn"])
    step["newState"]["inputs"]["userData"] = {
        preview.SECRET_MARK: "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:abc", "plaintext": "hunter2",
    }  # fmt: skip
    message = "<img src=x> @everybody | ``` [a](b)"
    recorded["preview"]["diagnostics"].append({"severity": "info", "message": message})
    text = render(recorded)
    assert "hunter2" not in text
    assert "v1:abc" not in text
    assert "userData: [secret]" in text
    assert "<img" not in text
    assert "@everybody" not in text
