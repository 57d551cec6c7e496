"""What a stack declares: the image that it asks for, or the one that its channel is on the way back to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.model import Image, returned_description
from pipeline.promote import pointer
from pipeline.promote.standing import Standing, label
from pipeline.rollout import choosing
from pipeline.scaling import Group, Version
from pipeline.settings import load
from tests.unit.pipeline.making import GOOD, NOON, Known, image, standing, version

MINE = label("prod", "0a1b2c3d")
BAD = image("ami-0000000b", tags={**GOOD.tags, "Rejected": "prod 2026-01-31T12:00:00Z boom", "BakeKey": "k"})
OLD = image("ami-0000000a")
GROUP = Group(
    name="web-prod", version=Version(template="lt-1", number="1"), least=2, most=2, desired=2, members=()
)  # fmt: skip
FLEET = {"group": {"minSize": 2, "maxSize": 2, "subnetIds": ["subnet-01234567"]}}


def stack(**values: Any) -> load.Settings:
    given = {"role": "web", "channel": "prod", "from": "candidate", "fleet": FLEET} | values
    config = {
        f"golden-image:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in given.items()
    }
    return load.parse({"aws:region": "eu-west-1"} | config, stack="prod")


def account(*images: Image, candidate: str = BAD.id, **more: Any) -> Known:
    return Known(
        *(images or (OLD, BAD)), pointers={"candidate": candidate}, groups=[GROUP], launched={"1": OLD.id}, **more
    )  # fmt: skip


def existing(settings: load.Settings, known: Known, stands: Standing) -> choosing.Chosen:
    return choosing.existing(settings, known, lambda: stands, NOON)


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointer, "LAG_SECONDS", 0)


def back(*labels: str) -> Standing:
    text = returned_description("web", "prod", "candidate", failed=BAD.id, to=OLD.id, word="0a1b2c3d")
    return standing(OLD.id, (BAD.id, MINE), replace(version(3, OLD.id, *labels), description=text))


@pytest.mark.parametrize("stands", [standing(OLD.id, (BAD.id, MINE)), back()])
@pytest.mark.parametrize("pin", [{}, {"image": BAD.id}])
def test_an_unfinished_return_declares_the_image_before(stands: Standing, pin: dict[str, Any]) -> None:
    chosen = existing(stack(**pin), account(), stands)
    assert chosen.choice.image == OLD
    assert chosen.choice.origin == "the machines of web-prod"
    assert chosen.back is not None
    assert (chosen.back.failed, chosen.back.word) == (BAD, "0a1b2c3d")


def test_also_where_the_rejected_image_was_revoked_since() -> None:
    revoked = replace(BAD, tags={**BAD.tags, "Revoked": "CVE"})
    assert existing(stack(), account(OLD, revoked), back()).choice.image == OLD


def test_a_finished_return_is_refused() -> None:
    with pytest.raises(PipelineError, match="has been rejected: its roll-out failed in channel prod"):
        existing(stack(), account(), back(MINE))


def test_a_return_whose_end_does_not_show_yet_is_not_finished_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointer, "LAG_SECONDS", 3)
    monkeypatch.setattr(pointer, "POLL_SECONDS", 0)
    shown = [back()]
    with pytest.raises(PipelineError, match="has been rejected"):
        choosing.existing(stack(), account(), lambda: shown.pop() if shown else back(MINE), NOON)


def test_a_stack_without_a_group_finishes_none() -> None:
    with pytest.raises(PipelineError, match="has been rejected"):
        existing(stack(fleet={}), account(), back())


def test_somebody_elses_write_is_refused_as_ever() -> None:
    good = image("ami-0000000c")
    for found in (standing((OLD.id, MINE), "ami-9"), standing(OLD.id, (BAD.id, MINE), "ami-9")):
        with pytest.raises(PipelineError, match="did not put there"):
            existing(stack(), account(good, candidate=good.id), found)


@pytest.mark.parametrize("stands", [back(MINE), back(), standing(OLD.id, (BAD.id, MINE))])
def test_the_next_good_image_needs_nothing(stands: Standing) -> None:
    good = image("ami-0000000c")
    chosen = existing(stack(), account(good, OLD, candidate=good.id), stands)
    assert (chosen.choice.image, chosen.back) == (good, None)


@pytest.mark.parametrize("fleet", [{}, FLEET])
def test_without_rejection_and_soak_nothing_more_is_read(fleet: dict[str, Any]) -> None:
    known = account(GOOD, candidate=GOOD.id)
    existing(stack(fleet=fleet), known, standing((OLD.id, MINE)))
    assert known.reads == ["web/candidate", GOOD.id]


BAKES = {"from": "bake", "channel": "prod"}


@pytest.mark.parametrize("stands", [standing(OLD.id, (BAD.id, MINE)), back()])
def test_a_stack_that_bakes_goes_back_too(stands: Standing) -> None:
    found = choosing.baked(stack(**BAKES), account(), "k", lambda: stands)
    assert found is not None
    assert found.to == OLD.id


def test_one_that_would_adopt_a_rejected_image_is_refused() -> None:
    with pytest.raises(PipelineError, match="this stack's present content ami-0000000b has been rejected"):
        choosing.baked(stack(**BAKES), account(), "k", lambda: back(MINE))


@pytest.mark.parametrize(("fleet", "key", "reads"), [({}, "k", []), (FLEET, "other", ["baked other"])])
def test_one_without_a_group_asks_nothing(fleet: dict[str, Any], key: str, reads: list[str]) -> None:
    known = account()
    assert choosing.baked(stack(**BAKES, fleet=fleet), known, key, lambda: back(MINE)) is None
    assert known.reads == reads


def test_one_whose_channel_is_before_the_one_that_rejected_it() -> None:
    stands = replace(back(MINE), channel="candidate")
    assert choosing.baked(stack(**{**BAKES, "channel": "candidate"}), account(), "k", lambda: stands) is None


HELD = [version(1, GOOD.id)]


def test_the_soak_is_asked_of_a_move_alone() -> None:
    known = account(GOOD, candidate=GOOD.id, histories={"candidate": HELD})
    soaking = stack(soak="24h")
    with pytest.raises(PipelineError, match="has not proven itself there yet"):
        existing(soaking, known, standing((OLD.id, MINE)))
    known.reads.clear()
    assert existing(soaking, known, standing((GOOD.id, MINE))).choice.image == GOOD
    assert "history of candidate" not in known.reads
    later = choosing.existing(
        soaking, account(GOOD, candidate=GOOD.id, histories={"candidate": HELD}),
        lambda: standing((OLD.id, MINE)), NOON + timedelta(hours=24),
    )  # fmt: skip
    assert later.choice.image == GOOD


def test_a_return_is_finished_whatever_the_soak() -> None:
    assert existing(stack(soak="24h"), account(), back()).choice.image == OLD
