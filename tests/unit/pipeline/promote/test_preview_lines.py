"""A preview in words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pipeline.model import Image
from pipeline.promote import preview_lines
from pipeline.promote.select import Choice
from pipeline.promote.standing import label
from pipeline.settings.request import Request
from tests.unit.pipeline.making import REQUEST, Known, image, standing

NOW = datetime(2026, 2, 3, tzinfo=UTC)


OLD = image("ami-1", name="web-1", created="2026-01-31T00:00:00.000Z", tags={})
NEW = image("ami-2", name="web-2", created="2026-02-02T22:00:00.000Z", tags={})


def said(image: Image, request: Request = REQUEST, **pointers: str) -> list[str]:
    choice = Choice(image=image, origin="pin" if request.pin else "channel candidate")
    held = pointers.get("prod")
    stands = standing((held, label("prod", "0a1b2c3d"))) if held else standing()
    return preview_lines.about(choice, request, stands, Known(OLD, NEW, pointers=pointers), NOW)


def test_a_move() -> None:
    assert said(NEW, prod=OLD.id) == [
        "channel prod: ami-1 (web-1, built 3 days ago) → ami-2 (web-2, built 2 hours ago), from channel candidate"
    ]


def test_the_first_one_and_one_that_is_gone() -> None:
    assert said(NEW)[0].startswith("channel prod: nothing → ami-2")
    assert said(NEW, prod="ami-9")[0].startswith("channel prod: ami-9 (gone) → ami-2")


def test_nothing_to_say() -> None:
    assert said(NEW, prod=NEW.id, candidate=NEW.id) == []


def test_a_pointer_without_any_label() -> None:
    choice = Choice(image=NEW, origin="channel candidate")
    lines = preview_lines.about(choice, REQUEST, standing(OLD.id), Known(OLD, NEW), NOW)
    assert "`pulumi up` replaces ami-1 only if this stack put it there" in lines[1]
    assert len(preview_lines.about(choice, REQUEST, standing(NEW.id), Known(OLD, NEW), NOW)) == 0


def test_a_stack_that_bakes_into_a_channel_that_somebody_else_moved() -> None:
    (line,) = preview_lines.of_bake(
        standing(("ami-1", label("prod", "0a1b2c3d")), ("ami-2", label("dev", "1")))
    )
    assert (
        "channel prod: version 2: ami-2, written 2026-01-31 12:01:00 UTC by arn:x, label of stack dev" in line
    )
    assert "`python -m pipeline adopt prod --version 2`, then `pulumi up`" in line
    assert preview_lines.of_bake(standing(("ami-1", label("prod", "0a1b2c3d")))) == []


def test_a_pin_keeps_a_newer_one_back() -> None:
    pinned = replace(REQUEST, pin=OLD.id)
    (line,) = said(OLD, pinned, prod=OLD.id, candidate=NEW.id)
    assert line.startswith("channel candidate holds a newer image, ami-2")
    assert "golden-image:image in Pulumi.prod.yaml keeps it back" in line
    assert said(NEW, replace(REQUEST, pin=NEW.id), prod=NEW.id, candidate=OLD.id) == []


@pytest.mark.parametrize(
    ("created", "text"),
    [
        ("2026-02-02T23:59:30Z", "less than a minute"),
        ("2026-02-02T23:59:00Z", "1 minute"),
        ("2026-02-02T00:00:00Z", "1 day"),
        ("2026-02-04T00:00:00Z", "less than a minute"),
    ],
)
def test_ages(created: str, text: str) -> None:
    assert preview_lines.age(created, NOW) == text
