"""Retiring in an account of fifty images: exactly those that nobody needs go; what was left half done is finished."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from tests.e2e.conftest import clear_images
from tests.e2e.registry import registry

ROLE = "old"
COUNT = 50
CAP = 10


@dataclass
class Account:
    """Fifty images; the names of those that somebody needs, and why."""

    bench: Workbench
    images: list[str] = field(default_factory=list)
    needed: dict[str, str] = field(default_factory=dict)

    def retire(self, *options: str) -> Run:
        """What the command before has removed no longer shows: a first look that lags leaves more for the next run."""
        self.bench.await_reads()
        return self.bench.run("python", "-m", "pipeline", "retire", "--days", "0", *options)

    def told(self, *options: str) -> dict[str, Any]:
        run = self.retire("--json", *options)
        assert run.status == 0
        found: dict[str, Any] = json.loads(run.output)
        return found

    def there(self) -> set[str]:
        images = self.bench.client("ec2").describe_images(Owners=["self"])["Images"]
        return {image["ImageId"] for image in images}

    def snapshots(self) -> set[str]:
        found = self.bench.client("ec2").describe_snapshots(
            OwnerIds=["self"], Filters=[{"Name": "tag:ManagedBy", "Values": ["packer"]}]
        )["Snapshots"]
        return {snapshot["SnapshotId"] for snapshot in found}

    def snapshots_of(self, images: Iterable[str]) -> set[str]:
        found = self.bench.client("ec2").describe_images(ImageIds=list(images))["Images"]
        return {device["Ebs"]["SnapshotId"] for image in found for device in image["BlockDeviceMappings"]}


def register(ec2: Any, number: int) -> str:
    image: str = ec2.register_image(Name=f"{ROLE}-{number:02}", RootDeviceName="/dev/xvda")["ImageId"]
    described = ec2.describe_images(ImageIds=[image])["Images"][0]
    snapshots = [device["Ebs"]["SnapshotId"] for device in described["BlockDeviceMappings"]]
    tags = {"Role": ROLE, "ManagedBy": "packer", "BakeKey": f"{number:032}"}
    ec2.create_tags(
        Resources=[image, *snapshots], Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
    )
    return image


@pytest.fixture(scope="module")
def account(bench: Workbench) -> Iterator[Account]:
    ec2, ssm, scaling = (bench.client(name) for name in ("ec2", "ssm", "autoscaling"))
    clear_images(bench)
    account = Account(bench)
    with registry(bench) as images:
        booted = images.image("booted", {"Role": ROLE, "ManagedBy": "packer", "BakeKey": "b"})
    account.images = [booted, *(register(ec2, number) for number in range(1, COUNT))]
    machine = ec2.run_instances(ImageId=booted, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"]
    ec2.stop_instances(InstanceIds=[machine[0]["InstanceId"]])
    account.needed[booted] = "used by i-"

    def point(channel: str, *numbers: int) -> None:
        for number in numbers:
            ssm.put_parameter(
                Name=f"/golden-image/{ROLE}/{channel}",
                Value=account.images[number],
                Type="String",
                Overwrite=True,
            )

    point("prod", 1, 2, 3, 4, 5)
    point("candidate", 6)
    account.needed |= {account.images[number]: f"/golden-image/{ROLE}/prod" for number in (5, 4, 3)}
    account.needed[account.images[6]] = f"in /golden-image/{ROLE}/candidate"

    def version(number: int, template: str | None = None) -> str:
        data = {"ImageId": account.images[number]}
        if template is None:
            made = ec2.create_launch_template(LaunchTemplateName=f"{ROLE}-fleet", LaunchTemplateData=data)
            return str(made["LaunchTemplate"]["LaunchTemplateId"])
        ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData=data)
        return template

    template = version(7)  # the default
    for number in (8, 9, 10):  # 8 is of no use any more; a group launches 9; 10 is the latest
        version(number, template)
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=f"{ROLE}-fleet",
        LaunchTemplate={"LaunchTemplateId": template, "Version": "3"},
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
        AvailabilityZones=["eu-west-1a"],
    )
    account.needed |= {account.images[number]: f"of {template}" for number in (7, 9, 10)}
    ec2.create_tags(Resources=[account.images[11]], Tags=[{"Key": "Keep", "Value": "audit"}])
    account.needed[account.images[11]] = "tag Keep: audit"
    ec2.delete_tags(Resources=[account.images[12]], Tags=[{"Key": "BakeKey"}])
    account.needed[account.images[12]] = "not made by a bake"
    yield account
    scaling.delete_auto_scaling_group(AutoScalingGroupName=f"{ROLE}-fleet", ForceDelete=True)
    ec2.delete_launch_template(LaunchTemplateId=template)
    ec2.terminate_instances(InstanceIds=[machine[0]["InstanceId"]])
    for channel in ("prod", "candidate"):
        ssm.delete_parameter(Name=f"/golden-image/{ROLE}/{channel}")
    for image in account.needed:
        ec2.deregister_image(ImageId=image)


def test_it_lists_first_and_gives_reasons(account: Account) -> None:
    before = account.there()
    found = account.told("--settled-days", "0")
    assert found["removed"] == []
    assert set(found["retire"]) == set(account.images) - set(account.needed)
    for image, why in account.needed.items():
        assert why in found["kept"][image]
    assert account.there() == before
    young = account.bench.run("python", "-m", "pipeline", "retire", "--json")
    assert json.loads(young.output)["retire"] == [], "all are younger than the default's seven days"


def test_the_earlier_production_image_waits_for_the_newer_one_to_settle(account: Account) -> None:
    found = account.told("--history", "1", "--settled-days", "7")
    assert account.images[4] in found["kept"]
    assert account.images[3] in found["retire"]
    assert account.images[4] in account.told("--history", "1", "--settled-days", "0")["retire"]


def test_a_deletion_that_ends_half_done_is_finished_the_next_time(account: Account) -> None:
    ec2 = account.bench.client("ec2")
    first = account.told("--settled-days", "0")["retire"][0]
    mapping = ec2.describe_images(ImageIds=[first])["Images"][0]["BlockDeviceMappings"]
    snapshot = mapping[0]["Ebs"]["SnapshotId"]
    account.bench.set_faults(
        {"action": "DeleteSnapshot", "kind": "error", "code": "UnauthorizedOperation", "status": 403}
    )
    run = account.retire("--settled-days", "0", "--yes")
    assert run.status == 1
    assert f"refused {snapshot}  UnauthorizedOperation" in run.output
    assert first not in account.there()
    assert snapshot in account.snapshots()
    account.bench.set_faults()
    found = account.told("--settled-days", "0", "--yes", "--cap", "1")
    assert found["removed"][0] == snapshot
    assert len([one for one in found["removed"] if one.startswith("ami-")]) == 1
    assert snapshot not in account.snapshots()


def test_all_that_nobody_needs_goes_at_most_so_many_at_a_time(account: Account) -> None:
    # The account has what unfinished bakes of other tests left, too, and that is too young to go.
    unneeded = account.there() & set(account.images) - set(account.needed)
    theirs = account.snapshots_of(unneeded)
    while True:
        before = account.there()
        found = account.told("--settled-days", "0", "--yes")
        gone = before - account.there()
        assert len(gone) == min(CAP, len(found["retire"]))
        assert not gone & set(account.needed)
        if not gone:
            break
    assert account.there() & set(account.images) == set(account.needed)
    assert theirs
    assert not account.snapshots() & theirs
    assert account.snapshots() >= account.snapshots_of(account.needed)
