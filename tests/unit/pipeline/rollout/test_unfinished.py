"""Whether a return is unfinished, and where it goes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.errors import PipelineError
from pipeline.promote import claim
from pipeline.promote.standing import label
from pipeline.rollout import unfinished
from pipeline.scaling import Version
from tests.unit.pipeline.promote.making import plan
from tests.unit.pipeline.rollout.returning import asked, back, failed, found, reject
from tests.unit.pipeline.rollout.world import WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.pipeline.rollout.world import World

FRESH = "8c9d0e1f"


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return failed(monkeypatch)


def test_the_pointer_still_holds_the_rejected_image(world: World) -> None:
    reject(world)
    seen = found(world)
    assert seen is not None
    assert (seen.to, seen.word, seen.failed.id) == (world.old, WORD, world.new)
    assert unfinished.existing(world.account, seen).id == world.old
    said = seen.warning("prod")
    # The note leaves lines out that begin with the channel: its headline says what moves.
    assert said.startswith(f"the return of channel prod from {world.new} to {world.old} is not finished")
    assert "prod 2026-01-31T12:00:00Z boom" in said


def test_the_pointer_is_back_and_lacks_the_label(world: World) -> None:
    reject(world)
    back(world)
    world.scaling.group = None  # not asked: the pointer says where to
    seen = found(world)
    assert seen is not None
    assert (seen.to, seen.word) == (world.old, WORD)


def test_a_finished_return_is_none(world: World) -> None:
    world.fails()
    assert world.is_as_before()
    assert found(world) is None


@pytest.mark.parametrize("channel", [None, "candidate"])
def test_an_image_that_this_channel_has_not_rejected_costs_no_read(
    world: World, calls: list[str], channel: str | None
) -> None:
    if channel:
        reject(world, channel)
    image, standing = asked(world), world.standing()
    calls.clear()
    world.scaling.group = None
    assert unfinished.find(world.account, standing, image) is None
    assert calls == []


def test_an_image_that_the_channel_never_moved_to(world: World) -> None:
    """Rejected long ago, and asked for again."""
    reject(world)
    world.aws.point("prod", world.old, label=label("prod", FRESH))
    assert found(world) is None


def test_the_group_runs_the_image_itself(world: World) -> None:
    """Tagged by hand: there is nothing to return to."""
    reject(world)
    assert world.scaling.group is not None
    world.scaling.group = replace(world.scaling.group, version=world.scaling.version(2))
    assert found(world) is None


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda scaling: None, "no Auto Scaling group web-prod"),
        (lambda scaling: replace(scaling.group, version=None), "web-prod launches from no launch template"),
        (
            lambda scaling: replace(scaling.group, version=scaling.version(9)),
            "web-prod launches version 9 of lt-",
        ),
        (
            lambda scaling: replace(
                scaling.group, version=Version(template="lt-0123456789abcdef0", number="1")
            ),
            "is gone",
        ),
    ],
)
def test_nothing_says_where_the_machines_returned_to(
    world: World, change: Callable[[Any], Any], seen: str
) -> None:
    reject(world)
    world.scaling.group = change(world.scaling)
    with pytest.raises(PipelineError, match="nothing says which image the machines returned to") as caught:
        found(world)
    text = str(caught.value)
    assert seen in text
    assert "golden-image:image" in text
    assert f"restore {world.new}" in text


def test_the_image_before_is_gone(world: World) -> None:
    reject(world)
    seen = found(world)
    assert seen is not None
    world.aws.ec2.deregister_image(ImageId=world.old)
    with pytest.raises(PipelineError, match="cannot be finished") as caught:
        unfinished.existing(world.account, seen)
    assert f"{world.old}: no such image" in str(caught.value)


@pytest.mark.parametrize("step", ["before", "after"])
def test_another_stack_finishes_nothing(world: World, step: str) -> None:
    reject(world)
    if step == "after":
        back(world)
    assert found(world, stack="dev") is None
    assert replace(world.standing(), stack="dev").refusal(world.aws.image("better")) is not None


@pytest.mark.parametrize("step", ["before", "after"])
def test_what_somebody_else_wrote_meanwhile_is_not_replaced(world: World, step: str) -> None:
    reject(world)
    if step == "after":
        back(world)
    world.aws.point("prod", world.aws.image("theirs"))
    assert found(world) is None
    for image in (world.old, world.new):
        refusal = world.standing().refusal(image)
        assert refusal is not None
        assert "did not put there" in str(refusal)
        with pytest.raises(PipelineError, match="not overwriting it"):
            claim.run(plan("prod", image, label=FRESH))
