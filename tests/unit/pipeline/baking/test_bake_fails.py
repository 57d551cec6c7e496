"""A bake that fails: the error says why, and nothing of it is left, or what is left is named."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.security_groups import SecurityGroupBackend

from pipeline.baking import bake
from pipeline.errors import PipelineError
from tests.unit.pipeline.baking.making import KEY, REGION, plan, register

pytestmark = pytest.mark.usefixtures("quick_reads", "source")


def launch(bake_id: str, name: str) -> None:
    """What Packer makes for a build."""
    ec2 = boto3.client("ec2", region_name=REGION)

    def tagged(kind: str) -> Any:
        wanted = [{"Key": "ManagedBy", "Value": "packer"}, {"Key": "BakeId", "Value": bake_id}]
        return [{"ResourceType": kind, "Tags": wanted}]

    ec2.create_key_pair(KeyName=name, TagSpecifications=tagged("key-pair"))
    group = ec2.create_security_group(
        GroupName=name, Description="builder", TagSpecifications=tagged("security-group")
    )["GroupId"]
    ec2.run_instances(
        ImageId=register(f"of {name}"),
        KeyName=name,
        SecurityGroupIds=[group],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tagged("instance"),
    )


def made_by(bake_id: str) -> dict[str, list[str]]:
    ec2 = boto3.client("ec2", region_name=REGION)
    run: Any = [{"Name": "tag:BakeId", "Values": [bake_id]}]
    alive: Any = [
        *run,
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    return {
        "builders": [
            instance["InstanceId"]
            for reservation in ec2.describe_instances(Filters=alive)["Reservations"]
            for instance in reservation["Instances"]
        ],
        "key pairs": [pair["KeyName"] for pair in ec2.describe_key_pairs(Filters=run)["KeyPairs"]],
        "groups": [group["GroupId"] for group in ec2.describe_security_groups(Filters=run)["SecurityGroups"]],
        "images": [image["ImageId"] for image in ec2.describe_images(Filters=run)["Images"]],
    }


def refuse(*_: object, **__: object) -> None:
    raise EC2ClientError("OperationNotPermitted", "not today")


@pytest.fixture
def run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the next run."""
    monkeypatch.setattr(uuid, "uuid4", lambda: "run-1")
    return "run-1"


def test_a_failed_build_says_why(fake_packer: Callable[[str], Path]) -> None:
    fake_packer("print('==> Timeout waiting for SSH.'); sys.exit(1)")
    with pytest.raises(PipelineError) as caught:
        bake.run(plan())
    assert "could not log in" in str(caught.value)
    assert "Timeout waiting for SSH." in str(caught.value)
    assert "packer.log" in str(caught.value)


def test_after_the_limit_what_packer_left_is_removed(fake_packer: Callable[[str], Path], run_id: str) -> None:
    """A Packer that does not even clean up, as without a network: builder, key pair, group and image go."""
    fake_packer("time.sleep(60)")
    launch(run_id, "packer_1")
    launch("another-run", "packer_2")
    register("web-base-1", BakeId=run_id, BakeRun=KEY)
    with pytest.raises(PipelineError) as caught:
        bake.run(plan(timeoutMinutes=0))
    text = str(caught.value)
    assert "did not end within 0 minutes, and was stopped" in text
    assert "golden-image:bake.timeoutMinutes" in text
    assert "still there" not in text
    assert made_by(run_id) == {"builders": [], "key pairs": [], "groups": [], "images": []}
    assert [len(found) for found in made_by("another-run").values()] == [1, 1, 1, 0]


def test_what_a_failed_packer_left_goes_too(fake_packer: Callable[[str], Path], run_id: str) -> None:
    fake_packer("print('==> building'); sys.exit(1)")
    launch(run_id, "packer_1")
    with pytest.raises(PipelineError, match="the bake failed"):
        bake.run(plan())
    assert not any(made_by(run_id).values())


def test_what_cannot_be_removed_is_named(
    fake_packer: Callable[[str], Path], run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_packer("print('==> building'); sys.exit(1)")
    launch(run_id, "packer_1")
    monkeypatch.setattr(InstanceBackend, "terminate_instances", refuse)
    monkeypatch.setattr(SecurityGroupBackend, "delete_security_group", refuse)
    with pytest.raises(PipelineError) as caught:
        bake.run(plan())
    text = str(caught.value)
    left = made_by(run_id)
    assert left["key pairs"] == []
    assert "some of what it made is still there" in text
    for name in (*left["builders"], *left["groups"]):
        assert f"{name}: " in text
    assert "OperationNotPermitted" in text
    assert "python -m pipeline doctor" in text


def test_a_finished_image_is_never_taken_back(fake_packer: Callable[[str], Path], run_id: str) -> None:
    fake_packer("print('==> building'); sys.exit(1)")
    done = register("web-base-1", BakeId=run_id, BakeRun="other", BakeKey="other")
    with pytest.raises(PipelineError, match="the bake failed"):
        bake.run(plan())
    assert made_by(run_id)["images"] == [done]


def test_a_build_without_manifest(fake_packer: Callable[[str], Path]) -> None:
    fake_packer("")
    with pytest.raises(PipelineError, match="wrote no manifest"):
        bake.run(plan())
