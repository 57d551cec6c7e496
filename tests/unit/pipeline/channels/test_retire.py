"""Images that nobody needs go, and no other; what was left half done is finished."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from pipeline.catalog import Catalog
from pipeline.channels import retire
from pipeline.cli.app import app
from pipeline.model import Image, PointerVersion, Snapshot
from tests.unit.pipeline import making

REGION = "eu-west-1"
NOW = datetime(2026, 6, 30, tzinfo=UTC)
MADE = {"ManagedBy": "packer", "BakeKey": "k"}


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


def account(images: list[Image], **changes: Any) -> retire.Account:
    given: dict[str, Any] = {"histories": {}, "used": {}, "snapshots": [], "now": NOW} | changes
    return retire.Account(images=images, **given)


def test_only_what_nobody_needs_goes() -> None:
    images = [
        image("held"), image("earlier"), image("third"), image("fourth"), image("used"), image("young", days=6),
        image("keep", Keep="audit"), image("free", days=90), image("older", days=95),
    ]  # fmt: skip
    foreign = making.image("foreign", tags={"Role": "web"})
    history = record(("held", 30), ("earlier", 60), ("third", 70), ("fourth", 80))
    found = retire.plan(
        account([*images, foreign], histories={"/p/web/prod": history}, used={"used": "i-1"}), retire.Limits()
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
        account([image("new"), image("old")], histories={"p": history}), retire.Limits(history=1)
    )
    assert [one.id for one in found.images] == (["old"] if goes else [])


def test_snapshots_that_lost_their_image() -> None:
    snapshots = [
        Snapshot(id="snap-here", started=NOW - timedelta(days=50)),
        Snapshot(id="snap-orphan", started=NOW - timedelta(days=50)),
        Snapshot(id="snap-running", started=NOW - timedelta(hours=1)),
    ]
    found = retire.plan(account([image("here")], snapshots=snapshots), retire.Limits())
    assert [one.id for one in found.snapshots] == ["snap-orphan"]


class Ec2:
    """An account of fifty baked images, made by moto."""

    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)
        source = self.ec2.register_image(Name="source", RootDeviceName="/dev/xvda")["ImageId"]
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.machine = self.ec2.run_instances(
            ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet
        )["Instances"][0]["InstanceId"]
        self.images = [self.bake(number) for number in range(50)]

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


def test_a_half_done_removal_is_finished(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(region=REGION)
    decided = retire.Plan({}, [image("one")], [])
    calls: list[str] = []
    monkeypatch.setattr(catalog, "deregister", calls.append)

    def die(snapshot: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog, "delete_snapshot", die)
    with pytest.raises(KeyboardInterrupt):
        retire.carry_out(catalog, decided, cap=1)
    monkeypatch.setattr(catalog, "delete_snapshot", calls.append)
    orphan = Snapshot(id="snap-one", started=NOW - timedelta(days=50))
    again = retire.plan(account([], snapshots=[orphan]), retire.Limits())
    retire.carry_out(catalog, again, cap=1)
    assert calls == ["one", "snap-one"]
