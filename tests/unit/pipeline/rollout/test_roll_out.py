"""A roll-out comes to one of two ends: all machines run the image, or machines and channel are as before.

Images, pointers and templates are moto's; the group and its refreshes, which moto does not have, follow a script.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import plans
from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.model import returned_description, returned_from
from pipeline.promote.standing import Standing, label
from pipeline.rollout import roll_out
from pipeline.scaling import Activity, Group, Member, Refresh, TargetHealth, Version
from tests.unit.pipeline.promote.making import REGION, Aws

if TYPE_CHECKING:
    from collections.abc import Callable

WORD = "4e5f6a7b"
ARN = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef"
WELL, ILL = (
    TargetHealth(state="healthy"),
    TargetHealth(state="unhealthy", reason="Health checks failed (503)"),
)


LOOKS = 20


class Scaling:
    """Auto Scaling that does after each look what the script says next."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.group: Group | None = Group(
            name="web-prod", version=self.version(1), least=2, most=4, desired=2,
            members=self.machines(1), target_groups=(ARN,), health_check="ELB",
        )  # fmt: skip
        self.found: list[Refresh] = []
        self.script: list[Callable[[], None]] = []
        self.health: dict[str, TargetHealth] = {}
        self.said: list[str] = []
        self.looks = 0
        self.last_activity = Activity(status="Successful", text="Launching", started=datetime.now(UTC))

    def version(self, number: int) -> Version:
        return Version(template=self.template, number=str(number))

    def machines(self, number: int, health: str = "Healthy") -> list[Member]:
        return [
            Member(id=f"i-{number}{one}", version=self.version(number), lifecycle="InService", health=health)
            for one in "ab"
        ]

    def are(self, number: int, target: TargetHealth = WELL) -> None:
        """The group's machines are of a version."""
        assert self.group is not None
        self.group = replace(self.group, members=self.machines(number))
        self.health = {one.id: target for one in self.group.members}

    def end(self, status: str, **more: Any) -> None:
        """The newest refresh ends."""
        self.found[0] = replace(self.found[0], status=status, ended=datetime.now(UTC), **more)
        if status == "Successful" and self.group is not None:
            self.group = replace(self.group, version=self.found[0].version)

    def find(self, name: str) -> Group | None:
        return self.group

    def refreshes(self, name: str) -> list[Refresh]:
        return list(self.found)

    def start(self, name: str, version: Version, preferences: Any) -> str | None:
        self.said.append(f"start {version.number}")
        if any(one.active for one in self.found):
            return None
        made = Refresh(
            id=f"refresh-{len(self.found) + 1}", status="InProgress", reason="", percent=0, left=2,
            started=datetime.now(UTC), ended=None, version=version,
        )  # fmt: skip
        self.found.insert(0, made)
        return made.id

    def roll_back(self, name: str) -> bool:
        self.said.append("roll back")
        self.found[0] = replace(self.found[0], status="RollbackInProgress")
        return True

    def cancel(self, name: str) -> bool:
        raise AssertionError("AWS could roll back")

    def targets(self, arns: Any) -> dict[str, TargetHealth]:
        """Read last of each look: then the script goes on."""
        answer = self.health
        if self.looks > LOOKS:
            raise AssertionError("it waits for what never comes")
        self.looks += 1
        if self.script:
            self.script.pop(0)()
        return answer

    def activities(self, name: str) -> list[Activity]:
        return [self.last_activity]


class World:
    """Channel prod of role web has moved from one image to another; its group is at version 1, with the former."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda _: None)
        self.aws = Aws()
        self.old, self.new = self.aws.image("old"), self.aws.image("new", "prod")
        self.aws.point("candidate", self.new, "bake")
        self.aws.point("prod", self.old, label=label("prod", "00000000"))
        self.aws.point("prod", self.new, label=label("prod", WORD))
        self.template = self.aws.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData={"ImageId": self.old}
        )["LaunchTemplate"]["LaunchTemplateId"]
        self.version(self.new)
        self.account = Account(region=REGION)
        self.scaling = Scaling(self.template)
        self.account.groups = self.scaling  # type: ignore[assignment]
        monkeypatch.setattr(self.account.machines, "console", lambda _: "booting\nweb: no such option\n")
        self.plan = plans.RollOut(
            region=REGION, role="web", channel="prod", image_id=self.new, stack="prod", source="candidate",
            label=WORD, when=(datetime.now(UTC) - timedelta(minutes=1)).isoformat(), group="web-prod",
            template=self.template, version=2, preferences={"MinHealthyPercentage": 100}, timeout_minutes=60,
        )  # fmt: skip

    def version(self, image: str) -> None:
        """A new version of the template, which becomes the default one."""
        made = self.aws.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, LaunchTemplateData={"ImageId": image}
        )["LaunchTemplateVersion"]["VersionNumber"]
        self.aws.ec2.modify_launch_template(LaunchTemplateId=self.template, DefaultVersion=str(made))

    def go(self, **changes: Any) -> dict[str, Any]:
        return roll_out.RollOut(self.account, replace(self.plan, **changes)).go()

    def fails(self, **changes: Any) -> str:
        with pytest.raises(PipelineError) as error:
            self.go(**changes)
        return str(error.value)

    def tags(self, image: str) -> dict[str, str]:
        found = self.aws.ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def standing(self) -> Standing:
        record = self.account.channels.history("web", "prod")
        return Standing(stack="prod", role="web", channel="prod", record=record)

    def default(self) -> int | None:
        return self.account.templates.default(self.template)

    def is_as_before(self) -> bool:
        """Pointer, tags, default version and label name the former image; the other one is rejected."""
        standing = self.standing()
        assert self.tags(self.new)["Rejected"].startswith("prod 20")
        assert returned_from(standing.record[0].description) == (self.new, self.old)
        # The other image is still the candidate.
        assert self.tags(self.new)["ImageChannel"] == "candidate"
        assert self.tags(self.old)["ImageChannel"] == "prod"
        return (standing.image_id, standing.word, self.default()) == (self.old, WORD, 1)


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
