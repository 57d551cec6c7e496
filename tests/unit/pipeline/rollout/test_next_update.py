"""A return that an update did not live to end is ended by the next one, whichever call was the last."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.client
import pytest
from botocore.exceptions import ClientError

from pipeline.errors import PipelineError
from pipeline.model import plain_description, pointer_description, returned_description
from pipeline.promote import claim, held, settle
from pipeline.promote.standing import label
from pipeline.rollout import roll_out
from tests.unit.pipeline.promote.making import plan
from tests.unit.pipeline.rollout.returning import back, failed, found, reject
from tests.unit.pipeline.rollout.world import WORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.rollout.unfinished import Return
    from tests.unit.pipeline.rollout.world import World

FRESH = "8c9d0e1f"
MOST_CALLS = 40
WRITES = ("CreateTags", "DeleteTags", "PutParameter", "LabelParameterVersion", "UnlabelParameterVersion",
          "ModifyLaunchTemplate", "CreateLaunchTemplateVersion")  # fmt: skip


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return failed(monkeypatch)


class Engine:
    """Carries out what the program declares, as Pulumi does, with the state that steps leave."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.patch = monkeypatch
        self.claimed: dict[str, Any] = {
            "imageId": world.new, "displaces": world.old, "version": 1, "when": "2026-01-31T12:00:00+00:00",
            "label": WORD,
        }  # fmt: skip

    def promote(self, image_id: str, seen: Return | None = None) -> None:
        """An update that asks for an image; with a return, one that finishes it."""
        standing, word = self.world.standing(), (seen and seen.word) or FRESH
        description = pointer_description("web", "prod", "candidate")
        if seen is not None:
            description = plain_description(
                returned_description(
                    "web", "prod", "candidate", failed=seen.failed.id, to=image_id, word=word
                )
            )
        refusal = standing.refusal(image_id)
        if refusal is not None:
            raise refusal
        self.patch.setenv(claim.PREVIOUS, json.dumps(self.claimed))
        self.claimed = claim.run(plan("prod", image_id, label=standing.promised(image_id, description, word)))
        if not standing.holds(image_id, description):
            text = standing.described(image_id, description, word)
            self.world.account.channels.write("web", "prod", image_id, text)
        done = held.run(plan("prod", image_id, claim=self.claimed, returns=seen is not None))
        self.world.account.channels.tag(image_id, "prod")
        settle.run(plan("prod", image_id, source="candidate", when=done["when"]))
        self.world.version(image_id)
        latest = self.world.default()
        assert latest is not None
        rejected = seen.failed.id if seen is not None else None
        rolling = replace(
            self.world.plan, image_id=image_id, version=latest, label=self.claimed["label"],
            when=done["when"], rejected=rejected,
        )  # fmt: skip
        roll_out.run(json.loads(rolling.to_json()))

    def finish(self) -> str:
        """An update that asks for the rejected image and finds the return unfinished; its error."""
        seen = found(self.world)
        assert seen is not None
        with pytest.raises((PipelineError, ClientError)) as caught:
            self.promote(seen.to, seen)
        return str(caught.value)


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the writing call of that number fail, and all after it. 0: none."""
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    made, first = 0, 0

    def call(self: Any, operation: str, arguments: Any) -> Any:
        nonlocal made
        if operation in WRITES and first:
            made += 1
            if made >= first:
                raise ClientError({"Error": {"Code": "ValidationError", "Message": "struck"}}, operation)
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def at(number: int) -> None:
        nonlocal made, first
        made, first = 0, number

    return at


def good(world: World, image_id: str) -> bool:
    """Pointer, tag, label and default version name the image; no other has the channel's tag."""
    standing = world.standing()
    number = world.default()
    assert number is not None
    data = world.account.templates.data(world.scaling.version(number))
    assert data is not None
    tagged = [one for one, name in world.account.channels.tagged("web").items() if name == "prod"]
    return (standing.image_id, standing.signed, data["ImageId"], tagged) == (
        image_id,
        True,
        image_id,
        [image_id],
    )


def anew(world: World) -> None:
    """The channel has moved to the new image again, and its roll-out has failed again."""
    world.account.images.untag(world.new, "Rejected")
    world.account.channels.untag(world.old, "prod")
    world.aws.point("prod", world.new, label=label("prod", WORD))
    world.account.channels.tag(world.new, "prod")
    world.version(world.new)


def test_a_return_is_finished_whichever_call_was_its_last(
    world: World, monkeypatch: pytest.MonkeyPatch, die_at: Callable[[int], None]
) -> None:
    for number in range(2, MOST_CALLS):  # the first one marks the image: before it nothing has returned yet
        anew(world)
        die_at(number)
        said = world.fails()
        die_at(0)
        if "struck" not in said:
            break
        assert "has finished the return" in Engine(world, monkeypatch).finish()
        assert good(world, world.old), number
        assert found(world) is None
    assert number > 5


@pytest.mark.parametrize("stage", ["marked", "pointer back"])
def test_and_whichever_call_was_the_last_of_the_update_that_was_to_finish_it(
    world: World, monkeypatch: pytest.MonkeyPatch, die_at: Callable[[int], None], stage: str
) -> None:
    for number in range(1, MOST_CALLS):
        anew(world)
        reject(world)
        if stage == "pointer back":
            back(world)
        engine = Engine(world, monkeypatch)
        die_at(number)
        said = engine.finish()
        die_at(0)
        died = "struck" in said
        if died:
            said = engine.finish()
        assert "has finished the return" in said
        assert good(world, world.old), number
        assert found(world) is None
        if not died:
            break
    assert number > 5


def come_to(world: World, stage: str) -> None:
    """A return that has come so far."""
    if stage == "finished":
        world.fails()
        return
    reject(world)
    if stage == "pointer back":
        back(world)


@pytest.mark.parametrize("stage", ["finished", "pointer back", "marked"])
def test_the_next_good_image_goes_through(world: World, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    engine = Engine(world, monkeypatch)
    come_to(world, stage)
    scaling = world.scaling
    scaling.script = [lambda: scaling.are(3), lambda: scaling.end("Successful")]
    better = world.aws.image("better")
    engine.promote(better)
    assert good(world, better)
    assert scaling.said == ["start 2", "start 3"]


@pytest.mark.parametrize("stage", ["finished", "pointer back", "marked"])
def test_a_pin_of_the_image_before_goes_through(
    world: World, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    engine = Engine(world, monkeypatch)
    come_to(world, stage)
    engine.promote(world.old)
    assert good(world, world.old)
    assert plain_description(world.standing().record[0].description).endswith("holds, taken from candidate")


def test_a_foreign_write_before_the_end_of_the_finishing_update_is_reported(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject(world)
    engine = Engine(world, monkeypatch)
    theirs = world.aws.image("theirs")
    real = settle.run

    def meanwhile(given: Any) -> dict[str, Any]:
        done = real(given)
        world.aws.point("prod", theirs)
        return done

    monkeypatch.setattr(settle, "run", meanwhile)
    assert "somebody else has moved channel prod" in engine.finish()
    assert world.standing().image_id == theirs
