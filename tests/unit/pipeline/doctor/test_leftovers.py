"""What interrupted bakes have left is named with its age, its bake and the command that removes it."""

from typing import Any

import boto3
import pytest
from moto.ec2.models import ec2_backends

from pipeline.doctor import leftovers
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Finding, Status

REGION = "eu-west-1"
KEY = "0123456789abcdef"
NEW = {"ManagedBy": "packer", "BakeRun": KEY}
OLD = {"ManagedBy": "packer", "BakeKey": KEY}
DONE = {**NEW, "BakeKey": KEY}


@pytest.fixture
def ec2(aws: None) -> Any:
    return boto3.client("ec2", region_name=REGION)


def tagged(kind: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}]


def image(ec2: Any, name: str, state: str = "available", **tags: str) -> str:
    found: str = ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
    ec2.create_tags(Resources=[found], Tags=tagged("image", tags)[0]["Tags"])
    ec2_backends["123456789012"][REGION].amis[found].state = state
    return found


def looked() -> Finding:
    (found,) = leftovers.check(Account(REGION))
    return found


@pytest.mark.parametrize("tags", [NEW, OLD], ids=["now", "of an earlier version"])
def test_all_that_a_killed_bake_leaves(ec2: Any, tags: dict[str, str]) -> None:
    left = image(ec2, "web-1", "pending", **tags)
    builder = ec2.run_instances(
        ImageId=image(ec2, "source"),
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tagged("instance", tags),
    )["Instances"][0]["InstanceId"]
    ec2.create_key_pair(KeyName="packer_0a1b", TagSpecifications=tagged("key-pair", tags))
    group = ec2.create_security_group(
        GroupName="packer_0a1b", Description="x", TagSpecifications=tagged("security-group", tags)
    )["GroupId"]
    found = looked()
    assert found.status is Status.WARN
    for thing in (
        f"builder {builder} running",
        "key pair packer_0a1b",
        f"security group {group}",
        f"image {left}",
    ):
        assert thing in found.seen
    assert "less than a minute ago" in found.seen
    assert found.seen.count(f"of bake {KEY}") == 4
    for command in (
        f"aws ec2 terminate-instances --instance-ids {builder}",
        "aws ec2 delete-key-pair --key-name packer_0a1b",
        f"aws ec2 delete-security-group --group-id {group}",
        f"aws ec2 deregister-image --image-id {left}",
        "python -m pipeline retire --yes",
    ):
        assert command in found.cure


def test_what_is_finished_or_of_others_is_none(ec2: Any) -> None:
    image(ec2, "done", **DONE)
    image(ec2, "done by an earlier version", **OLD)
    image(ec2, "by hand")
    image(ec2, "of another Packer", "pending", ManagedBy="packer")
    ec2.create_key_pair(KeyName="packer_0a1b", TagSpecifications=tagged("key-pair", {"ManagedBy": "packer"}))
    assert looked().seen == "none"


def test_an_image_that_was_made_but_not_finished(ec2: Any) -> None:
    left = image(ec2, "web-1", **NEW)
    assert f"image {left} web-1, available and not finished, created" in looked().seen
