"""A roll-out comes to one of two ends: all machines run the image, or machines and channel are as before.

Images, pointers and templates are moto's; the group and its refreshes, which moto does not have, follow a script.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import PipelineError
from pipeline.model import returned_description
from pipeline.rollout import roll_out
from pipeline.scaling import TargetHealth, Version
from tests.unit.pipeline.rollout.world import ILL, WORD, World


@pytest.fixture
def world(aws: None, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_machines_move_and_the_image_says_so(world: World) -> None:
    scaling = world.scaling
    scaling.script = [
        lambda: scaling.are(2, TargetHealth(state="initial")), lambda: scaling.are(2),
        lambda: scaling.end("Successful"),
    ]  # fmt: skip
    assert world.go()["deployed"].endswith(" refresh-1")
    assert world.tags(world.new)["Deployed-prod"].endswith(" refresh-1")
    assert world.default() == 2
    assert scaling.said == ["start 2"]


def test_a_refresh_that_is_rolled_back_takes_the_channel_with_it(world: World) -> None:
    scaling = world.scaling
    scaling.script = [
        lambda: scaling.are(2, ILL), lambda: scaling.are(1),
        lambda: scaling.end("RollbackSuccessful", rollback="no instance was replaced"),
    ]  # fmt: skip
    said = world.fails()
    assert world.is_as_before()
    assert "i-2a: InService, Healthy; target unhealthy: Health checks failed (503)" in said
    assert "web: no such option" in said
    assert f"machines and channel prod are back on {world.old}" in said
    assert "no instance was replaced" in world.tags(world.new)["Rejected"]


def test_a_machine_that_was_only_late_is_not_named_as_failed(world: World) -> None:
    """A health check that asks a machine while it boots fails."""
    scaling = world.scaling
    scaling.script = [
        lambda: scaling.are(2, ILL), lambda: scaling.are(2), lambda: scaling.are(1),
        lambda: scaling.end("RollbackSuccessful", rollback="alarm web-errors is in the ALARM state"),
    ]  # fmt: skip
    said = world.fails()
    assert "alarm web-errors is in the ALARM state" in said
    assert "i-2a" not in said


def test_an_end_that_nobody_saw_is_the_same_end(world: World) -> None:
    scaling = world.scaling
    scaling.start("web-prod", scaling.version(2), {})
    scaling.end("RollbackSuccessful")
    scaling.said.clear()
    world.fails()
    assert world.is_as_before()
    assert scaling.said == []


def test_one_that_takes_too_long_is_rolled_back(world: World) -> None:
    scaling = world.scaling
    scaling.start("web-prod", scaling.version(2), {})
    scaling.found[0] = replace(scaling.found[0], started=datetime.now(UTC) - timedelta(minutes=61))
    world.plan = replace(world.plan, when=(datetime.now(UTC) - timedelta(hours=2)).isoformat())
    scaling.script = [lambda: None, lambda: None, lambda: scaling.end("RollbackSuccessful")]
    world.fails()
    assert world.is_as_before()
    assert scaling.said == ["start 2", "roll back"]


@pytest.mark.parametrize("status", ["Cancelled", "Failed", "RollbackFailed"])
def test_where_aws_leaves_machines_a_refresh_of_ours_brings_them_back(world: World, status: str) -> None:
    scaling = world.scaling
    scaling.script = [
        lambda: scaling.are(2, ILL), lambda: scaling.end(status), lambda: None, lambda: scaling.are(1),
        lambda: scaling.end("Successful"),
    ]  # fmt: skip
    world.fails()
    assert scaling.said == ["start 2", "start 1"]
    assert world.is_as_before()


def test_machines_that_do_not_come_back_are_named_and_the_channel_returns_all_the_same(world: World) -> None:
    scaling = world.scaling
    scaling.script = [
        lambda: scaling.are(2, ILL), lambda: scaling.end("Failed"), lambda: None,
        lambda: scaling.end("Failed", reason="no capacity"),
    ]  # fmt: skip
    said = world.fails()
    assert "did not come back: refresh refresh-2 ended Failed: no capacity" in said
    assert "are back" not in said
    assert world.is_as_before()


def test_somebody_elses_refresh_is_left_alone(world: World) -> None:
    scaling = world.scaling
    scaling.start("web-prod", Version(template="lt-2", number="1"), {})
    assert "that stack prod did not start" in world.fails()
    assert scaling.said == ["start 1"]
    assert world.standing().image_id == world.new


def test_an_earlier_refresh_of_this_stack_is_rolled_back_first(world: World) -> None:
    scaling = world.scaling
    scaling.start("web-prod", scaling.version(3), {})
    scaling.script = [
        lambda: None, lambda: scaling.end("RollbackSuccessful"), lambda: scaling.are(2),
        lambda: scaling.end("Successful"),
    ]  # fmt: skip
    world.go()
    assert scaling.said == ["start 3", "roll back", "start 2"]


def test_a_version_with_the_same_content_replaces_nothing(world: World) -> None:
    world.version(world.old)
    done = world.go(image_id=world.old, version=3)
    assert world.scaling.said == []
    assert done["deployed"].endswith(" creation")


def test_tags_in_another_order_are_the_same_content(world: World) -> None:
    tags = [{"Key": "Role", "Value": "web"}, {"Key": "Name", "Value": "web"}]
    for order in (tags, tags[::-1], [*tags, {"Key": "Team", "Value": "a"}]):
        kinds = [{"ResourceType": kind, "Tags": order} for kind in ("instance", "volume")]
        world.aws.ec2.create_launch_template_version(
            LaunchTemplateId=world.template,
            LaunchTemplateData={"ImageId": world.old, "TagSpecifications": kinds},
        )
    scaling = world.scaling
    scaling.are(3)
    assert scaling.group is not None
    scaling.group = replace(scaling.group, version=scaling.version(3))
    world.go(image_id=world.old, version=4)
    assert scaling.said == []
    scaling.script = [lambda: scaling.are(5), lambda: scaling.end("Successful")]
    world.go(image_id=world.old, version=5)
    assert scaling.said == ["start 5"]


def test_another_template_with_the_same_image_rejects_nothing_and_is_tried_again(world: World) -> None:
    scaling = world.scaling
    world.aws.ec2.create_launch_template_version(
        LaunchTemplateId=world.template, LaunchTemplateData={"ImageId": world.new, "UserData": "Zg=="}
    )
    scaling.are(2)
    assert scaling.group is not None
    scaling.group = replace(scaling.group, version=scaling.version(2))
    for number in (1, 2):
        scaling.script = [
            lambda: scaling.are(3, ILL), lambda: scaling.are(2), lambda: scaling.end("RollbackSuccessful"),
        ]  # fmt: skip
        assert "stays in channel prod" in world.fails(version=3)
        assert scaling.said == ["start 3"] * number
    assert "Rejected" not in world.tags(world.new)
    assert (world.standing().image_id, world.default()) == (world.new, 2)


def test_a_group_that_is_new_is_done_when_its_machines_are_healthy(world: World) -> None:
    scaling = world.scaling
    assert scaling.group is not None
    scaling.group = replace(scaling.group, version=scaling.version(2), members=[])
    scaling.script = [lambda: scaling.are(2, TargetHealth(state="initial")), lambda: scaling.are(2)]
    assert world.go()["deployed"].endswith(" creation")
    assert scaling.looks == 3


def test_a_new_group_that_never_gets_healthy_is_an_error_and_rejects_nothing(world: World) -> None:
    scaling = world.scaling
    assert scaling.group is not None
    scaling.group = replace(scaling.group, version=scaling.version(2))
    scaling.are(2, ILL)
    scaling.last_activity = replace(
        scaling.last_activity, status="Failed", text="InsufficientInstanceCapacity."
    )
    said = world.fails(timeout_minutes=0)
    assert "InsufficientInstanceCapacity" in said
    assert "web: no such option" in said
    assert "Rejected" not in world.tags(world.new)
    assert world.standing().image_id == world.new


def test_a_group_without_a_numbered_version_is_not_touched(world: World) -> None:
    scaling = world.scaling
    assert scaling.group is not None
    scaling.group = replace(scaling.group, version=Version(template=world.template, number="$Latest"))
    assert "changed by hand" in world.fails()
    assert scaling.said == []


def test_a_channel_that_somebody_else_moved_meanwhile_is_not_overwritten(world: World) -> None:
    scaling = world.scaling
    third = world.aws.image("third")
    scaling.start("web-prod", scaling.version(2), {})
    scaling.end("RollbackSuccessful")
    world.aws.point("prod", third)
    said = world.fails()
    assert "not overwriting it" in said
    assert world.standing().image_id == third


def test_a_group_that_is_gone(world: World) -> None:
    world.scaling.group = None
    assert "does not exist" in world.fails()


def test_an_update_that_finishes_a_return_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.version(world.old)
    text = returned_description("web", "prod", "candidate", failed=world.new, to=world.old, word=WORD)
    world.account.channels.write("web", "prod", world.old, text)
    assert not world.standing().signed
    monkeypatch.setattr(roll_out, "Account", lambda **_: world.account)
    plan = replace(world.plan, image_id=world.old, version=3, rejected=world.new)
    with pytest.raises(PipelineError, match="has finished the return"):
        roll_out.run(json.loads(plan.to_json()))
    assert world.standing().signed, "that ends the return"
