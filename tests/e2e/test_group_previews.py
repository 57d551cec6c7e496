"""What a preview says and refuses of a stack with a group; and the roll-out that a person looks at and takes back."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from lab import surroundings
from lab.settings import SUBNET_ID, LabSettings
from lab.workbench import Run, Workbench
from tests.e2e.mover import Mover
from tests.e2e.registry import registry

ROLE, STACK, CHANNEL, GROUP = "seen", "stage", "prod", "seen-prod"
NOISE = re.compile(r"Traceback|RuntimeWarning|never awaited|Exception")
ALARM = "seen-errors"
WITHIN_SECONDS = 120
"""How long an update may take until its refresh has begun."""


class Stage(Mover):
    """A stack with a group of one machine, of which nothing but EC2's own state says whether it is healthy."""

    def __init__(self, bench: Workbench, images: list[str]) -> None:
        super().__init__(bench, ROLE, STACK, "stage")
        self.images = images
        self.image = images[0]
        self.scaling = bench.client("autoscaling")

    def write(self, *, image: str | None = None, refresh: dict[str, Any] | None = None, **keys: Any) -> None:
        """Its stack file, with an image and keys of the group beside the usual ones."""
        self.image = image or self.image
        group = {
            "minSize": 1, "maxSize": 2, "subnetIds": [SUBNET_ID],
            "refresh": {"warmupSeconds": 1, **(refresh or {})}, **keys,
        }  # fmt: skip
        config = {
            "aws:region": "eu-west-1", "golden-image:role": ROLE, "golden-image:channel": CHANNEL,
            "golden-image:image": self.image, "golden-image:fleet": {"instanceType": "t3.micro", "group": group},
        }  # fmt: skip
        self.bench.stack_file(STACK).write_text(yaml.safe_dump({"config": config}))

    def preview(self) -> str:
        """The text of a preview that passes."""
        run = self.bench.preview(STACK)
        assert run.status == 0
        return str(run.output)

    def refused(self, *texts: str) -> None:
        """A preview fails, has all of this in its error, and no traceback."""
        run = self.bench.preview(STACK)
        assert run.status != 0
        for text in (*texts, "Pulumi.stage.yaml"):
            assert text in run.output
        assert not NOISE.search(run.output)

    def rollout(self, *options: str) -> Run:
        """The command `rollout`."""
        file = str(self.bench.stack_file(STACK))
        return self.bench.run("python", "-m", "pipeline", "rollout", STACK, "--config-file", file, *options)

    @contextmanager
    def somebody_s_refresh(self) -> Iterator[str]:
        """An instance refresh by somebody else, which takes hours."""
        preferences = {"InstanceWarmup": 10_000}
        started: str = self.scaling.start_instance_refresh(
            AutoScalingGroupName=GROUP, Preferences=preferences
        )["InstanceRefreshId"]
        yield started
        self.scaling.cancel_instance_refresh(AutoScalingGroupName=GROUP)

    def await_refresh(self) -> None:
        """Wait until a refresh is under way."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while True:
            found = self.scaling.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"]
            if found and found[0]["Status"] == "InProgress":
                return
            assert time.monotonic() < deadline, found
            time.sleep(0.2)

    def launch_from(self, number: str) -> None:
        """Let the group launch from a version of its template by hand."""
        found = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])["AutoScalingGroups"][
            0
        ]
        template = {"LaunchTemplateId": found["LaunchTemplate"]["LaunchTemplateId"], "Version": number}
        self.scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, LaunchTemplate=template)


@pytest.fixture(scope="module")
def stage(bench: Workbench) -> Iterator[Stage]:
    with registry(bench) as found:
        images = found.validated(ROLE, 2)
        stage = Stage(bench, images)
        yield stage
        assert bench.run(*bench.pulumi_argv("destroy", STACK, "--yes", "--skip-preview")).status == 0


def test_before_there_is_a_group(stage: Stage) -> None:
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gone/0123456789abcdef"
    stage.write(minSize=3)
    stage.refused("golden-image:fleet.group.minSize is larger than the largest size", "which is 2")
    stage.write(subnetIds=["subnet-0123456789abcdef0"])
    stage.refused(
        "names a subnet that does not exist", "subnet-0123456789abcdef0", "fleet.group.subnetIds in"
    )
    stage.write(targetGroupArns=[arn])
    stage.refused("names a target group that does not exist", arn, "fleet.group.targetGroupArns in")
    stage.write(refresh={"alarms": ["gone"]})
    stage.refused("names a CloudWatch alarm that does not exist", "gone", "fleet.group.refresh.alarms in")

    stage.write()
    text = stage.preview()
    assert "group seen-prod: 1 machine will be launched" in text
    assert "group seen-prod has no target group (golden-image:fleet.group.targetGroupArns in " in text
    missing = stage.rollout()
    assert (missing.status, "seen-prod does not exist yet" in missing.output) == (1, True)
    assert stage.up().status == 0


def test_a_preview_of_a_roll_out(stage: Stage, lab: LabSettings) -> None:
    surroundings.alarm(lab, ALARM, "ALARM")
    stage.write(refresh={"alarms": [ALARM]})
    assert "group seen-prod" not in stage.preview(), "nothing is rolled out"
    stage.write(image=stage.images[1], refresh={"alarms": [ALARM]})
    stage.refused("an alarm of the roll-out to seen-prod is in state ALARM already", ALARM)

    surroundings.alarm(lab, ALARM, "OK")
    line = "group seen-prod: 1 machine will be replaced, at most 1 at once, at least 1 healthy"
    assert line in stage.preview()
    file = stage.bench.stack_file(STACK)
    note = stage.bench.run("python", "-m", "pipeline", "note", STACK, "--config-file", str(file))
    assert note.status == 0
    assert "launch template v1 → v2; 1 machine will be replaced" in note.output

    with stage.somebody_s_refresh() as started:
        stage.refused(
            "that stack stage did not start; it is left alone", started, "golden-image:fleet.group in"
        )
        theirs = stage.rollout("--return")
        assert theirs.status == 1
        assert f"{started}: " in theirs.output
        assert "is not of stack stage; it is left alone" in theirs.output

    stage.launch_from("$Latest")
    stage.refused(
        "the Auto Scaling group seen-prod was changed by hand", "version $Latest of lt-", "Version=N"
    )
    stage.launch_from("1")
    assert line in stage.preview()


def test_a_person_takes_a_roll_out_back(stage: Stage) -> None:
    before, to = stage.images
    stage.write(image=to, refresh={"warmupSeconds": 600})
    nothing = stage.rollout("--return")
    assert (nothing.status, "no roll-out of seen-prod is under way" in nothing.output) == (1, True)
    with stage.moving() as moving:
        stage.await_refresh()
        seen = json.loads(stage.rollout("--json").output)
        assert (seen["underWay"]["imageId"], seen["underWay"]["ours"], seen["imageId"]) == (to, True, before)
        returned = stage.rollout("--return")
        assert (returned.status, "AWS rolls back" in returned.output) == (0, True)
        ended = moving.end()
    assert ended.status != 0
    assert stage.wrong(before) == []
    last = json.loads(stage.rollout("--json").output)
    assert (last["underWay"], last["before"][0]["status"]) == (None, "RollbackSuccessful")
    assert "RollbackSuccessful" in stage.rollout().output
