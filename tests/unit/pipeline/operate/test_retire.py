"""Images that nobody needs go, and no other; what was left half done is finished."""

import copy
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
