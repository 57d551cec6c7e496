"""Images that nobody needs go, and no other; what was left half done is finished."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.model import Image, PointerVersion, Snapshot
from pipeline.operate import retire
from tests.unit.pipeline import making

REGION = "eu-west-1"
NOW = datetime(2026, 6, 30, tzinfo=UTC)
MADE = {"ManagedBy": "packer", "BakeKey": "k"}


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retire, "LAG_SECONDS", 0)


def image(image_id: str, days: int = 100, **tags: str) -> Image:
    return making.image(
        image_id,
        name=image_id,
        created=(NOW - timedelta(days=days)).isoformat().replace("+00:00", "Z"),
        tags=MADE | tags,
        snapshots=(f"snap-{image_id}",),
    )


def record(*images: tuple[str, int]) -> list[PointerVersion]:
    """A channel's record: image and how many days ago, newest first."""
    return [
        PointerVersion(version=len(images) - number, image_id=name, when=NOW - timedelta(days=days), by="x")
        for number, (name, days) in enumerate(images)
    ]


def inventory(images: list[Image], **changes: Any) -> retire.Inventory:
    given: dict[str, Any] = {"histories": {}, "used": {}, "snapshots": [], "now": NOW} | changes
    return retire.Inventory(images=images, **given)


def test_only_what_nobody_needs_goes() -> None:
    images = [
        image("held"), image("earlier"), image("third"), image("fourth"), image("used"), image("young", days=6),
        image("keep", Keep="audit"), image("free", days=90), image("older", days=95),
    ]  # fmt: skip
    foreign = making.image("foreign", tags={"Role": "web"})
    history = record(("held", 30), ("earlier", 60), ("third", 70), ("fourth", 80))
    found = retire.plan(
        inventory([*images, foreign], histories={"/p/web/prod": history}, used={"used": "i-1"}),
        retire.Limits(),
    )
    assert [one.id for one in found.images] == ["fourth", "older", "free"]
    assert found.kept == {
        "held": "in /p/web/prod",
        "earlier": "among the last 3 of /p/web/prod",
        "third": "among the last 3 of /p/web/prod",
        "used": "used by i-1",
        "young": "younger than 7 days",
        "keep": "tag Keep: audit",
        "foreign": "not made by a bake",
    }


@pytest.mark.parametrize(("since", "goes"), [(6, False), (8, True)])
def test_the_earlier_image_stays_until_the_new_one_has_settled(since: int, *, goes: bool) -> None:
    # Written again since: what counts is how long the channel has held it.
    history = record(("new", 1), ("new", since), ("old", 50))
    found = retire.plan(
        inventory([image("new"), image("old")], histories={"p": history}), retire.Limits(history=1)
    )
    assert [one.id for one in found.images] == (["old"] if goes else [])


DEPLOYED: dict[str, Any] = {"Deployed-prod": "2026-06-01T00:00:00Z r-1"}


@pytest.mark.parametrize(
    ("record_", "deployed", "kept"),
    [
        # The present one runs on the machines: however short a time the channel has held it.
        ("new old", "new old", ""),
        ("new old", "new", ""),
        # It does not yet, or its roll-out failed.
        ("new old", "old", "old"),
        ("new old older", "old", "old"),
        # Two in a row did not come to run: what machines run is further back.
        ("new failed old older", "old older", "failed old"),
        # After a return: what the channel holds is what it had deployed.
        ("old failed old older", "old older", ""),
        ("new failed old failed old older", "old older", "failed old"),
    ],
)
def test_where_machines_are_a_group_the_image_before_stays_until_the_present_one_runs_on_them(
    record_: str, deployed: str, kept: str
) -> None:
    names = record_.split()
    for days in (1, 60):
        images = [
            image(name, **DEPLOYED) if name in deployed.split() else image(name)
            for name in dict.fromkeys(names)
        ]
        history = record(*((name, days + number) for number, name in enumerate(names)))
        found = retire.plan(inventory(images, histories={"/p/web/prod": history}), retire.Limits(history=1))
        reason = f"used until image {names[0]} is deployed in /p/web/prod"
        assert [one for one, why in found.kept.items() if why == reason] == sorted(kept.split())
        gone = set(names[1:]) - set(kept.split()) - {names[0]}
        assert {one.id for one in found.images} == gone


OF_QA: dict[str, Any] = {"Deployed-qa": "2026-06-01T00:00:00Z r-1"}


def test_tags_of_another_channel_and_of_images_that_this_one_never_held_are_no_group() -> None:
    others = [image("new"), image("old", **OF_QA), image("strange", **DEPLOYED)]
    history = record(("new", 1), ("old", 50))
    found = retire.plan(inventory(others, histories={"/p/web/prod": history}), retire.Limits(history=1))
    assert found.kept["old"] == "/p/web/prod left it only on 2026-06-29"


def test_snapshots_that_lost_their_image() -> None:
    snapshots = [
        Snapshot(id="snap-here", started=NOW - timedelta(days=50)),
        Snapshot(id="snap-orphan", started=NOW - timedelta(days=50)),
        Snapshot(id="snap-running", started=NOW - timedelta(hours=1)),
    ]
    found = retire.plan(inventory([image("here")], snapshots=snapshots), retire.Limits())
    assert [one.id for one in found.snapshots] == ["snap-orphan"]


def test_what_a_bake_left_half_done_goes_after_a_day() -> None:
    def unfinished(name: str, hours: int) -> Image:
        made = (NOW - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
        return replace(
            image(name), created=made, tags={"ManagedBy": "packer", "BakeRun": "k"}, state="pending"
        )

    snapshots = [
        Snapshot(id="snap-new", started=NOW - timedelta(hours=23), finished=False),
        Snapshot(id="snap-lost", started=NOW - timedelta(hours=25), finished=False),
        Snapshot(id="snap-done", started=NOW - timedelta(hours=25)),
    ]
    images = [unfinished("new", 23), unfinished("left", 25)]
    found = retire.plan(inventory(images, snapshots=snapshots), retire.Limits())
    assert [one.id for one in found.images] == ["left"]
    assert [one.id for one in found.snapshots] == ["snap-lost"]
    assert found.kept == {"new": "of a bake that has not ended, or not long ago"}
