"""The removal of images in an account: what EC2 refuses, what was needed just before, what was left half done."""

import copy
import json
from datetime import timedelta
from typing import Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends
from typer.testing import CliRunner

from pipeline.aws.account import Account
from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.model import Snapshot
from pipeline.operate import retire
from tests.unit.pipeline.operate.test_retire import NOW, image, inventory

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retire, "LAG_SECONDS", 0)


def test_snapshots_of_bakes_that_ended_and_that_did_not(aws: None) -> None:
    account = Ec2()
    volume = account.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]

    def snapshot(**tags: str) -> str:
        found: str = account.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        account.ec2.create_tags(Resources=[found], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return found

    old = snapshot(ManagedBy="packer", BakeKey="k")
    done = snapshot(ManagedBy="packer", BakeKey="k", BakeRun="k")
    left = snapshot(ManagedBy="packer", BakeRun="k")
    for strange in ({"ManagedBy": "packer"}, {"BakeKey": "k"}, {"BakeRun": "k", "ManagedBy": "hand"}):
        snapshot(**strange)
    found = {one.id: one.finished for one in Account(region=REGION).images.snapshots()}
    assert found == {old: True, done: True, left: False}


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """EC2 where moto is kinder.

    It hides disabled images from who does not ask for them, refuses to deregister a protected one, and to delete a
    snapshot that an image stands on.
    """
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation: str, arguments: Any) -> Any:
        if operation == "DescribeImages":
            answer = original(self, operation, arguments)
            for one in answer["Images"]:
                if any(tag["Key"] == "TestProtected" for tag in one.get("Tags", ())):
                    one["DeregistrationProtection"] = "enabled-without-cooldown"
            if not arguments.get("IncludeDisabled"):
                answer["Images"] = [one for one in answer["Images"] if one["State"] != "disabled"]
            return answer
        if operation in ("DeregisterImage", "DeleteSnapshot"):
            everything = original(self, "DescribeImages", {"Owners": ["self"]})["Images"]
            for one in everything:
                names = {tag["Key"] for tag in one.get("Tags", ())}
                if one["ImageId"] == arguments.get("ImageId") and names & {"TestProtected", "TestRefused"}:
                    raise refusal("OperationNotPermitted", operation)
                used = {device["Ebs"]["SnapshotId"] for device in one["BlockDeviceMappings"]}
                if arguments.get("SnapshotId") in used:
                    raise refusal("InvalidSnapshot.InUse", operation)
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)


def refusal(code: str, operation: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 400}},  # type: ignore[typeddict-item]
        operation,
    )


def retire_all(*options: str) -> Any:
    always = ["--days", "0", "--settled-days", "0", "--region", REGION, "--cap", "100"]
    return CliRunner().invoke(app, ["retire", *always, *options])


class Ec2:
    """An account of baked images, made by moto."""

    def __init__(self, count: int = 50) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)
        source = self.ec2.register_image(Name="source", RootDeviceName="/dev/xvda")["ImageId"]
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.machine = self.ec2.run_instances(
            ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet
        )["Instances"][0]["InstanceId"]
        self.images = [self.bake(number) for number in range(count)]

    def bake(self, number: int) -> str:
        found: str = self.ec2.create_image(InstanceId=self.machine, Name=f"web-{number}")["ImageId"]
        tags = {"ManagedBy": "packer", "BakeKey": str(number), "Role": "web"}
        self.ec2.create_tags(Resources=[found], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return found

    def snapshots(self) -> set[str]:
        answer = self.ec2.describe_images(Owners=["self"])["Images"]
        return {device["Ebs"]["SnapshotId"] for one in answer for device in one["BlockDeviceMappings"]}

    def there(self) -> set[str]:
        answer = self.ec2.describe_images(
            Owners=["self"], Filters=[{"Name": "tag-key", "Values": ["BakeKey"]}]
        )
        return {one["ImageId"] for one in answer["Images"]}


def test_fifty_images(aws: None) -> None:
    account = Ec2()
    images = account.images
    for held in images[:5]:
        account.ssm.put_parameter(Name="/golden-image/web/prod", Value=held, Type="String", Overwrite=True)
    account.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={"ImageId": images[5]})
    account.ec2.create_launch_template_version(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": images[6]}
    )
    account.ec2.create_launch_template_version(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": images[7]}
    )
    account.ec2.create_tags(Resources=[images[8]], Tags=[{"Key": "Keep", "Value": ""}])
    keep = {*images[2:6], images[7], images[8]}  # the last three, default, latest, Keep
    options = ["--days", "0", "--settled-days", "0", "--region", REGION, "--json"]
    listed = json.loads(CliRunner().invoke(app, ["retire", *options]).stdout)
    assert set(listed["retire"]) == set(images) - keep
    assert account.there() == set(images), "without --yes nothing goes"

    removed = json.loads(CliRunner().invoke(app, ["retire", *options, "--yes", "--cap", "4"]).stdout)[
        "removed"
    ]
    assert len([one for one in removed if one.startswith("ami-")]) == 4
    done = CliRunner().invoke(app, ["retire", *options, "--yes", "--cap", "100"])
    assert done.exit_code == 0
    assert account.there() == keep
    left = {one["SnapshotId"] for one in account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert account.snapshots() <= left


def lagging(monkeypatch: pytest.MonkeyPatch, operation: str, answer: Any, *, times: int = 1) -> None:
    """Let an operation's first answers be what it answered once."""
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
    left = [times]

    def call(self: Any, name: str, arguments: Any) -> Any:
        if name == operation and left[0]:
            left[0] -= 1
            return copy.deepcopy(answer)
        return original(self, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)


def test_what_came_to_be_needed_just_before_stays_though_the_first_reads_lag(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Ec2(4)
    promoted, kept, *rest = account.images
    account.ssm.put_parameter(Name="/golden-image/web/dev", Value=rest[0], Type="String")
    pointers = account.ssm.get_parameters_by_path(Path="/golden-image", Recursive=True)
    images = account.ec2.describe_images(Owners=["self"])
    account.ssm.put_parameter(Name="/golden-image/web/prod", Value=promoted, Type="String")
    account.ec2.create_tags(Resources=[kept], Tags=[{"Key": "Keep", "Value": ""}])
    lagging(monkeypatch, "GetParametersByPath", pointers)
    lagging(monkeypatch, "DescribeImages", images)
    found = json.loads(retire_all("--yes", "--json").stdout)
    assert found["retire"] == rest[1:]
    assert account.there() == {promoted, kept, rest[0]}


def test_what_only_the_second_reads_let_go_stays(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Ec2(3)
    left, free, held = account.images
    account.ssm.put_parameter(Name="/golden-image/web/dev", Value=held, Type="String")
    account.ec2.create_tags(Resources=[left], Tags=[{"Key": "Keep", "Value": ""}])
    images = account.ec2.describe_images(Owners=["self"])
    account.ec2.delete_tags(Resources=[left], Tags=[{"Key": "Keep"}])
    lagging(monkeypatch, "DescribeImages", images)
    found = json.loads(retire_all("--yes", "--json").stdout)
    assert found["kept"][left] == "needed a moment ago"
    assert found["retire"] == [free]
    assert account.there() == {left, held}


def test_a_channels_image_stays_though_its_history_lags(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Ec2(2)
    account.ssm.put_parameter(Name="/golden-image/web/prod", Value=account.images[0], Type="String")
    lagging(monkeypatch, "GetParameterHistory", {"Parameters": []}, times=2)
    assert json.loads(retire_all("--yes", "--json").stdout)["retire"] == account.images[1:]


def test_one_image_that_ec2_keeps_does_not_keep_the_others(aws: None, guarded: None) -> None:
    account = Ec2(6)
    disabled, protected, refused, *rest = account.images
    account.ec2.disable_image(ImageId=disabled)
    for name, tag in ((protected, "TestProtected"), (refused, "TestRefused")):
        account.ec2.create_tags(Resources=[name], Tags=[{"Key": tag, "Value": ""}])
    listed = json.loads(retire_all("--json").stdout)
    assert listed["kept"][disabled] == "disabled"
    assert listed["kept"][protected] == "protected from deregistration"
    run = retire_all("--json", "--yes")
    assert run.exit_code == 1
    assert isinstance(run.exception, PipelineError)
    assert "EC2 refused to remove 1 of what is to be retired" in str(run.exception)
    found = json.loads(run.stdout)
    assert found["refused"] == {refused: "OperationNotPermitted: m"}
    assert set(rest) <= set(found["removed"])
    assert found["left"] == 1
    assert account.there() == {protected, refused}
    assert account.ec2.describe_images(ImageIds=[disabled], IncludeDisabled=True)["Images"]


def test_a_snapshot_that_another_image_stands_on_stays(aws: None, guarded: None) -> None:
    account = Ec2(6)
    first = account.ec2.describe_images(ImageIds=[account.images[0]])["Images"][0]
    snapshot = first["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    amis = ec2_backends["123456789012"][REGION].amis
    twin = copy.copy(amis[account.images[0]])
    twin.id = "ami-0000000000000000a"
    amis[twin.id] = twin  # without a tag, which moto keeps by id
    run = retire_all("--yes")
    assert run.exit_code == 0, run.output
    assert f"keep    {snapshot}  in use by another image" in run.output
    there = {one["SnapshotId"] for one in account.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]}
    assert snapshot in there


def test_many_images_are_few_lines(aws: None) -> None:
    account = Ec2()
    for held in account.images[:2]:
        account.ssm.put_parameter(Name="/golden-image/web/prod", Value=held, Type="String", Overwrite=True)
    few = ["--cap", "10"]
    said = retire_all(*few).stdout.splitlines()
    assert len(said) < 20
    assert f"  keep    1 image, in /golden-image/web/prod: {account.images[1]}" in said
    assert "  retire  38 more images; --all lists them" in said
    assert sum("retire  ami-" in line for line in said) == 10
    assert sum("retire  ami-" in line for line in retire_all(*few, "--all").stdout.splitlines()) == 48
    done = retire_all(*few, "--yes").stdout.splitlines()
    assert done[-1].startswith("removed 10 images and 10 snapshots; 38 images left to remove")
    young = CliRunner().invoke(app, ["retire", "--region", REGION]).stdout.splitlines()
    assert any("keep    38 images, younger than 7 days" in line for line in young)


def test_a_half_done_removal_is_finished(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(region=REGION)
    decided = retire.Plan({}, [image("one")], [])
    calls: list[str] = []
    monkeypatch.setattr(account.images, "deregister", calls.append)

    def die(snapshot: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(account.images, "delete_snapshot", die)
    with pytest.raises(KeyboardInterrupt):
        retire.carry_out(account, decided, cap=1)
    monkeypatch.setattr(account.images, "delete_snapshot", calls.append)
    orphan = Snapshot(id="snap-one", started=NOW - timedelta(days=50))
    again = retire.plan(inventory([], snapshots=[orphan]), retire.Limits())
    retire.carry_out(account, again, cap=1)
    assert calls == ["one", "snap-one"]
