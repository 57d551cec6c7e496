"""What a bake has left goes, and nothing else."""

from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from pipeline import aws
from pipeline.baking import leftovers
from pipeline.model import TAG_BAKE_ID, TAG_BAKE_KEY, Builder
from tests.unit.pipeline.making import NOON

REGION = "eu-west-1"


@pytest.fixture
def ec2(aws: None) -> Any:
    return boto3.client("ec2", region_name=REGION)


def tags(kind: str, bake_id: str, **others: str) -> list[Any]:
    every = {TAG_BAKE_ID: bake_id, **others}
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": every[key]} for key in every]}]


def bake(ec2: Any, bake_id: str) -> dict[str, str]:
    """All that a run makes; returns kind to id."""
    ec2.create_key_pair(KeyName=f"packer_{bake_id}", TagSpecifications=tags("key-pair", bake_id))
    group = ec2.create_security_group(
        GroupName=f"packer_{bake_id}", Description="x", TagSpecifications=tags("security-group", bake_id)
    )["GroupId"]
    source = ec2.register_image(Name=f"source-{bake_id}", RootDeviceName="/dev/xvda")["ImageId"]
    builder = ec2.run_instances(
        ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1, SecurityGroupIds=[group],
        TagSpecifications=tags("instance", bake_id),
    )["Instances"][0]["InstanceId"]  # fmt: skip
    image = ec2.create_image(
        InstanceId=builder, Name=f"image-{bake_id}", TagSpecifications=tags("image", bake_id)
    )["ImageId"]
    return {"builder": builder, "group": group, "key": f"packer_{bake_id}", "image": image}


def there(ec2: Any, made: dict[str, str]) -> set[str]:
    """The kinds of what is still there."""
    machines = ec2.describe_instances(InstanceIds=[made["builder"]])["Reservations"][0]["Instances"]
    names = [pair["KeyName"] for pair in ec2.describe_key_pairs()["KeyPairs"]]
    groups = [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]]
    images = [image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]]
    return {
        kind
        for kind, found in {
            "builder": machines[0]["State"]["Name"] != "terminated",
            "key": made["key"] in names,
            "group": made["group"] in groups,
            "image": made["image"] in images,
        }.items()
        if found
    }


def test_all_of_one_run_goes_and_nothing_of_another(ec2: Any) -> None:
    mine, others = bake(ec2, "run-1"), bake(ec2, "run-2")
    snapshots = len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
    said: list[str] = []
    assert leftovers.remove(region=REGION, bake_id="run-1", say=said.append) == []
    assert there(ec2, mine) == set()
    assert there(ec2, others) == {"builder", "key", "group", "image"}
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == snapshots - 1
    assert [line.split()[1] for line in said] == ["builder", "key", "security", "unfinished"]
    assert leftovers.remove(region=REGION, bake_id="run-1", say=said.append) == [], "it can be done again"


def test_a_finished_image_stays(ec2: Any) -> None:
    made = bake(ec2, "run-1")
    ec2.create_tags(Resources=[made["image"]], Tags=[{"Key": TAG_BAKE_KEY, "Value": "k"}])
    assert leftovers.remove(region=REGION, bake_id="run-1", say=lambda _: None) == []
    assert there(ec2, made) == {"image"}


def test_what_cannot_go_is_named_and_the_rest_goes(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = bake(ec2, "run-1")
    client = aws.client("ec2", region=REGION)

    def refused(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "UnauthorizedOperation", "Message": "not allowed"}}, "TerminateInstances"
        )

    monkeypatch.setattr(client, "terminate_instances", refused)
    monkeypatch.setattr("pipeline.aws.clients.client", lambda *_, **__: client)
    left = leftovers.remove(region=REGION, bake_id="run-1", say=lambda _: None)
    assert left[0].startswith(f"builder {made['builder']}: ")
    assert "UnauthorizedOperation" in left[0]
    assert not there(ec2, made) & {"key", "image"}


def test_a_builder_that_was_there_before() -> None:
    builder = Builder(id="i-1", bake_key="k1", state="running", since=NOON)
    (line,) = leftovers.notices([builder], NOON + timedelta(minutes=90))
    assert line.startswith(
        "builder i-1 of another bake (k1) is running, since 2026-01-31 12:00 UTC (90 minutes"
    )
