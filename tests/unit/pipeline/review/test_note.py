"""Golden notes, rendered from previews that the real Pulumi made in the lab (tests/record_previews.py)."""

import copy
import json
import os
import random
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from pipeline.errors import PipelineError
from pipeline.model import Image, PointerVersion
from pipeline.review import facts, note, preview
from tests.unit.pipeline.making import Known

HERE = Path(__file__).parent
RECORDED = sorted(path.stem for path in (HERE / "previews").glob("*.json"))
MANY = 200


def world(recorded: dict[str, Any]) -> Known:
    """What AWS knew when a preview was recorded."""
    history = [
        PointerVersion(**{**entry, "when": datetime.fromisoformat(entry["when"])})
        for entry in recorded["history"]
    ]
    return Known(*(Image(**found) for found in recorded["images"]), history=history)


def read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((HERE / "previews" / f"{name}.json").read_text())
    return found


def render(recorded: dict[str, Any], limit: int = note.LIMIT) -> str:
    found = facts.gather(preview.parse(recorded["stack"], json.dumps(recorded["preview"])), world(recorded))
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


ROLL_OUT = (
    "group web-prod: 3 machines will be replaced, at most 1 at once, at least 3 healthy; the last roll-out took 12 "
    "minutes (Successful, 2026-11-20)"
)


def rolled(*lines: str) -> str:
    """A recorded preview of a new image, with lines about a group."""
    recorded = read("new-image-prod")
    told = [{"severity": "info", "message": f"{line}\n"} for line in lines]
    recorded["preview"]["diagnostics"] += told
    return render(recorded)


def golden(name: str, text: str) -> None:
    path = HERE / "golden" / f"{name}.md"
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(text)
    assert text == path.read_text()


def test_all_are_recorded() -> None:
    assert RECORDED == [
        "failed-preview", "first-deployment", "first-group", "new-image-dev", "new-image-prod", "nothing-to-do",
        "refused-pin", "roll-out", "rollback",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_golden(name: str) -> None:
    golden(name, render(read(name)))


def test_machines_that_are_replaced_are_in_headline_and_text() -> None:
    headline = re.compile(r"(?m)^### prod: .*; launch template v1 → v2; (.*)$")
    channel = "1 replaced: `promotion-channel`"
    assert headline.findall(rolled()) == [channel]
    text = rolled(ROLL_OUT)
    assert headline.findall(text) == [f"3 machines will be replaced; {channel}"]
    assert (
        "\nGroup web-prod: 3 machines will be replaced, at most 1 at once, at least 3 healthy; the last"
        in text
    )
    first = rolled("group web-prod: 1 machine will be launched", "group web-prod has no target group (x): y")
    assert headline.findall(first) == [f"1 machine will be launched; {channel}"]
    assert "Group web-prod has no target group" in first


def test_two_hundred_changes_stay_readable() -> None:
    text = render(many())
    golden("two-hundred-changes", text)
    assert len(text) < note.LIMIT
    assert text.count("\n") < 600


@pytest.mark.parametrize(
    ("limit", "left_out"),
    [
        (20_000, "and 502 lines more"),
        (4_000, "with all of the 206 changes; `pulumi preview` shows them"),
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


HOSTILE = (
    "<script>alert(1)</script>",
    "@everybody closes #1 and !2",
    "[a](https://evil.example) ![b](//evil.example/c.png) www.evil.example",
    "| a | b |",
    "`code` *bold* _em_ ~gone~ $x^2$ <!-- golden-image note of x -->",
    "\x1b[31mred\x07\u202eleft\x00\ud800",
    "/merge",
    "# title",
    "- [ ] todo",
    "1. one",
    "&lt;b&gt;",
    "{{ 7 * 7 }} {% raw %}",
)


def html(text: str) -> str:
    """A note as a forge renders it."""
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def with_text(text: str, where: str) -> str:
    """A note in which a text stands in one of the places whose content is not ours."""
    recorded = read({"error": "failed-preview", "variable": "new-image-dev"}.get(where, "new-image-prod"))
    told = recorded["preview"].setdefault("diagnostics", [])
    if where == "variable":
        step = next(one for one in recorded["preview"]["steps"] if one["urn"].endswith("::build-bake"))
        plan = {"bakeKey": "x", "variables": {"image_version": text}}
        step["newState"]["inputs"]["stdin"] = json.dumps(plan)
    elif where == "said":
        told.append({"severity": "info", "message": text})
    elif where == "error":
        recorded["preview"]["diagnostics"] = [{"severity": "error", "message": text}]
    elif where == "stack":
        recorded["stack"] = text
    for image in recorded["images"]:
        image["tags"] |= {where: text}
        if where == "name":
            image["name"] = text
    return render(recorded)


PLACES = ("name", "Revoked", "GitCommit", "said", "error", "variable", "stack")


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("where", PLACES)
def test_no_text_of_the_account_or_the_config_takes_effect_in_a_note(hostile: str, where: str) -> None:
    text = with_text(hostile, where)
    text.encode()
    assert text.replace("\n", "").replace("\t", "").isprintable()
    blocks = re.compile(r"(?ms)^(`{3,})\w*\n.*?^\1$")
    assert "\n/" not in blocks.sub("", text), "a quick action of GitLab's"
    tag = re.compile(r"<[^>]*>")
    assert tag.findall(html(text)) == tag.findall(html(with_text("harmless", where)))
    seen = tag.sub("", re.sub(r"(?s)<(code|pre)>.*?</\1>", "", html(text)))
    assert not re.search(r"@\w|#\d|://|www\.", seen), "what a forge makes a link of"


def mutated(value: Any, dice: random.Random) -> Any:
    """The value with one of its parts replaced by something of another kind."""
    junk: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "{",
        '{"a": 1}',
        [],
        {},
        [[]],
        {"a": []},
        "04da6b54",
        10**30,
    ]
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key = dice.choice(sorted(value))
        return {**value, key: mutated(value[key], dice)}
    if isinstance(value, list) and value and dice.random() < 0.9:
        at = dice.randrange(len(value))
        return [*value[:at], mutated(value[at], dice), *value[at + 1 :]]
    return dice.choice(junk)


@pytest.mark.parametrize("name", RECORDED)
def test_a_mutated_preview_is_a_note_or_a_refusal(name: str) -> None:
    recorded = read(name)
    refused = 0
    for seed in range(150):
        dice = random.Random(f"{name} {seed}")  # reproducible
        preview_of = recorded["preview"]
        for _ in range(dice.randint(1, 3)):
            preview_of = mutated(preview_of, dice)
        try:
            assert render({**recorded, "preview": preview_of}), seed
        except PipelineError:
            refused += 1
    assert refused


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"a": 1}', "1", "null", '"x"', "{}x", "[[[[", "[" * 100_000,
     '{"steps": {}}', '{"steps": [1]}', '{"steps": [{}]}',
     '{"config": []}', '{"config": [1]}', '{"config": {"aws:region": 1}}', '{"diagnostics": {"a": 1}}',
     '{"diagnostics": ["x"]}', '{"diagnostics": [{"message": 1}]}',
     '{"steps": [{"op": 1, "urn": "a::b::c::d"}]}', '{"steps": [{"op": "same", "urn": "a"}]}',
     '{"steps": [{"op": "same", "urn": "a::b::c::d", "newState": 1}]}'],
)  # fmt: skip
def test_json_that_is_no_preview(text: str) -> None:
    with pytest.raises(PipelineError, match="is not what Pulumi writes") as caught:
        preview.parse("prod", text)
    assert len(str(caught.value)) < 1_000
