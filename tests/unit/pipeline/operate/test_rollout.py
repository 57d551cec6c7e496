"""The roll-out that is under way, the last ones, and the way back: shown, and asked for only where it is ours.

The launch template and the config are read as ever; the group and its refreshes, which moto does not have, are given.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from pipeline.aws.groups import Groups
from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.operate import rollout
from pipeline.scaling import Group, Refresh, TargetHealth
from tests.unit.pipeline.rollout.making import ARN, SUBNET, group, refresh, version

TEXT = (
    "config:\n  aws:region: eu-west-1\n  golden-image:role: web\n"
    "  golden-image:channel: prod\n  golden-image:from: candidate\n"
)
WITH_GROUP = f"{TEXT}  golden-image:fleet: {{group: {{minSize: 2, maxSize: 6, subnetIds: [{SUBNET}]}}}}\n"


class Scaling:
    """What Auto Scaling has of group web-prod."""

    def __init__(self, template: str, images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.template, self.images = template, images
        self.group: Group | None = group(version(1, template))
        self.found: list[Refresh] = []
        self.can, self.calls = True, 0
        monkeypatch.setattr(Groups, "find", lambda _, name: self.group if name == "web-prod" else None)
        monkeypatch.setattr(Groups, "refreshes", lambda _, name: self.found)
        health = {f"i-{number}": TargetHealth(state="healthy") for number in range(2)}
        monkeypatch.setattr(Groups, "targets", lambda _, arns: health if list(arns) == [ARN] else {})
        monkeypatch.setattr(Groups, "roll_back", lambda _, name: self._roll_back())

    def _roll_back(self) -> bool:
        self.calls += 1
        return self.can

    def rolling(self, status: str = "InProgress", **more: Any) -> None:
        """One machine of three has the new version."""
        old, new = version(1, self.template), version(2, self.template)
        self.group = group(old, old, new, old)
        self.found = [
            refresh(status, new, reason="Waiting for instances to warm up.", **more),
            refresh("RollbackSuccessful", version(3, self.template), minute=-90, minutes=12, id="r-0",
                    rollback="Auto rollback: an alarm."),
            refresh("Successful", None, minute=-900, minutes=3, id="r-9"),
        ]  # fmt: skip


@pytest.fixture
def scaling(aws: None, monkeypatch: pytest.MonkeyPatch) -> Scaling:
    ec2: Any = boto3.client("ec2", region_name="eu-west-1")
    images = [ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"] for name in ("one", "two")]
    tags = [{"Key": "Role", "Value": "web"}, {"Key": "ImageChannel", "Value": "prod"}]
    template = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": images[0]},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": tags}],
    )["LaunchTemplate"]["LaunchTemplateId"]  # fmt: skip
    ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"ImageId": images[1]})
    return Scaling(template, images, monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(WITH_GROUP)
    return path


def run(file: Path, *options: str) -> str:
    done = CliRunner().invoke(
        app, ["rollout", "prod", "--config-file", str(file), *options], catch_exceptions=False
    )
    assert done.exit_code == 0
    return done.output


def refused(file: Path, *options: str) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        run(file, *options)
    return caught.value


def test_what_is_under_way(scaling: Scaling, file: Path) -> None:
    scaling.rolling()
    first, second, machines, waits, before, back, others = run(file).splitlines()
    lt = scaling.template
    assert first == (
        f"group web-prod: 3 of 3 machines, 2 of them healthy; launches version 1 of {lt} with {scaling.images[0]}"
    )
    assert second == "under way since 2026-01-31 12:01 UTC: InProgress, 33 %, r-1"
    assert machines == f"  to version 2 of {lt} with {scaling.images[1]}; machines: 1 new, 2 old"
    assert waits == "  Waiting for instances to warm up."
    assert before == "before (AWS keeps six weeks):"
    assert back == (
        "  2026-01-31 10:30 UTC  RollbackSuccessful, 12 minutes, version 3, r-0: Auto rollback: an alarm."
    )
    assert others.endswith("Successful, 3 minutes, the group's own version, r-9")


def test_nothing_is_under_way(scaling: Scaling, file: Path) -> None:
    assert run(file).splitlines()[1:] == ["no roll-out is under way"]


def test_for_scripts(scaling: Scaling, file: Path) -> None:
    scaling.rolling()
    found = json.loads(run(file, "--json"))
    assert (found["group"], found["machines"], found["healthy"], found["new"]) == ("web-prod", 3, 2, 1)
    assert (found["version"], found["imageId"]) == ("1", scaling.images[0])
    under_way = found["underWay"]
    assert (under_way["id"], under_way["imageId"], under_way["ours"]) == ("r-1", scaling.images[1], True)
    assert [(one["id"], one["ended"], one["ours"]) for one in found["before"]] == [
        ("r-0", "2026-01-31T10:42:00Z", True), ("r-9", "2026-01-30T21:03:00Z", False),
    ]  # fmt: skip


def test_the_way_back(scaling: Scaling, file: Path) -> None:
    scaling.rolling()
    assert "AWS rolls back r-1" in run(file, "--return")
    assert scaling.calls == 1
    scaling.rolling("Baking")
    assert json.loads(run(file, "--return", "--json")) == {"returned": "r-1"}
    assert scaling.calls == 2


def test_nothing_to_return_from(scaling: Scaling, file: Path) -> None:
    error = refused(file, "--return")
    assert (error.what, error.seen) == ("no roll-out of web-prod is under way", "no roll-out in six weeks")
    scaling.rolling()
    scaling.found = scaling.found[1:]
    error = refused(file, "--return")
    assert error.seen == "the last one, r-0 of 2026-01-31 10:30 UTC, is RollbackSuccessful"
    assert "`python -m pipeline rollback prod`" in (error.change or "")
    assert scaling.calls == 0


@pytest.mark.parametrize("foreign", [None, version(2, "lt-9"), "$Latest"])
def test_somebody_else_s_is_left_alone(scaling: Scaling, file: Path, foreign: Any) -> None:
    brings = version(foreign, scaling.template) if isinstance(foreign, str) else foreign
    scaling.found = [refresh("InProgress", brings)]
    assert "stack prod did not start it" in run(file)
    error = refused(file, "--return")
    assert "is not of stack prod; it is left alone" in error.what
    assert "cancel-instance-refresh --auto-scaling-group-name web-prod" in (error.change or "")
    assert scaling.calls == 0


@pytest.mark.parametrize("status", ["RollbackInProgress", "Cancelling"])
def test_it_goes_back_already(scaling: Scaling, file: Path, status: str) -> None:
    scaling.rolling(status)
    assert "goes back already" in refused(file, "--return").what
    # A refresh of ours to the group's own version is a return, too.
    scaling.found = [replace(scaling.found[0], status="InProgress", version=version(1, scaling.template))]
    assert "goes back already" in refused(file, "--return").what
    assert scaling.calls == 0


def test_it_ended_meanwhile(scaling: Scaling, file: Path) -> None:
    scaling.rolling()
    scaling.can = False
    assert "AWS cannot roll back" in refused(file, "--return").what


def test_no_group(scaling: Scaling, file: Path) -> None:
    scaling.group = None
    error = refused(file)
    assert "web-prod does not exist yet" in error.what
    assert error.change == "`pulumi up --stack prod`"
    file.write_text(TEXT)
    error = refused(file)
    assert "stack prod has no group of machines" in error.what
    assert f"golden-image:fleet.group in {file}" in (error.change or "")


def test_a_group_that_launches_nothing_of_ours(scaling: Scaling, file: Path) -> None:
    scaling.group = group(None)
    assert "launches no version of a launch template" in run(file)
    assert rollout.look(stack="prod", config_file=file)[1].images == {}
