"""A stage with a group: its channel, and Auto Scaling that does what a script says."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import plans
from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.model import returned_from
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
