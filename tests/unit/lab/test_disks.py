"""Disks and images mean what they mean on EC2: mappings, encryption, copies, states, protection."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lab.paper import run, source

ENCRYPTED = [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "DeleteOnTermination": True}}]


def image_of(ec2: Any, image_id: str, **arguments: Any) -> dict[str, Any]:
    [image] = ec2.describe_images(ImageIds=[image_id], **arguments)["Images"]
    found: dict[str, Any] = image
    return found


def snapshot_of(ec2: Any, image_id: str) -> dict[str, Any]:
    [mapping] = image_of(ec2, image_id)["BlockDeviceMappings"]
    [snapshot] = ec2.describe_snapshots(SnapshotIds=[mapping["Ebs"]["SnapshotId"]])["Snapshots"]
    assert mapping["Ebs"]["Encrypted"] == snapshot["Encrypted"]
    found: dict[str, Any] = snapshot
    return found


def volumes_of(ec2: Any, instance_id: str) -> list[tuple[str, int, bool]]:
    """Device, size in GiB, encrypted."""
    found = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}])
    return [(one["Attachments"][0]["Device"], one["Size"], one["Encrypted"]) for one in found["Volumes"]]


def bake(ec2: Any, **arguments: Any) -> str:
    instance_id, _ = run(ec2, **arguments)
    ec2.stop_instances(InstanceIds=[instance_id])
    image_id: str = ec2.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    return image_id


def test_a_machine_has_its_images_disk_on_the_device_that_the_image_names(ec2: Any) -> None:
    instance_id, _ = run(ec2)
    assert volumes_of(ec2, instance_id) == [("/dev/xvda", 15, False)]
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert ec2.describe_volumes()["Volumes"] == []


def test_a_mapping_of_the_call_encrypts_the_disk_and_all_that_comes_of_it(ec2: Any) -> None:
    image_id = bake(ec2, BlockDeviceMappings=ENCRYPTED)
    assert snapshot_of(ec2, image_id)["Encrypted"]
    clone, _ = run(ec2, ImageId=image_id)
    assert volumes_of(ec2, clone) == [("/dev/xvda", 15, True)]


def test_a_mapping_may_change_the_size_alone(ec2: Any) -> None:
    instance_id, _ = run(ec2, BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20}}])
    assert volumes_of(ec2, instance_id) == [("/dev/xvda", 20, False)]


def test_a_disk_that_no_image_knows_needs_a_size(ec2: Any) -> None:
    with pytest.raises(ClientError, match=r"MissingParameter.*size or snapshotId"):
        run(ec2, BlockDeviceMappings=[{"DeviceName": "/dev/sdz", "Ebs": {"Encrypted": True}}])


def test_a_launch_templates_mapping_counts(ec2: Any) -> None:
    data = {"ImageId": source(ec2), "BlockDeviceMappings": ENCRYPTED}
    template = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    answer = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"]},
        MinCount=1,
        MaxCount=1,
    )
    assert volumes_of(ec2, answer["Instances"][0]["InstanceId"]) == [("/dev/xvda", 15, True)]


def test_an_account_may_encrypt_by_default(ec2: Any) -> None:
    ec2.enable_ebs_encryption_by_default()
    assert snapshot_of(ec2, bake(ec2))["Encrypted"]


def test_the_image_has_the_tags_of_the_call(ec2: Any) -> None:
    instance_id, _ = run(ec2)
    tags = [{"Key": "BakeRun", "Value": "k"}]
    image_id = ec2.create_image(
        InstanceId=instance_id,
        Name="baked",
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
    )["ImageId"]
    assert image_of(ec2, image_id)["Tags"] == tags
    assert snapshot_of(ec2, image_id)["Tags"] == tags


def test_an_encrypted_copy_is_a_second_image_that_boots_and_outlives_the_first(ec2: Any) -> None:
    first = bake(ec2)
    second = ec2.copy_image(SourceImageId=first, SourceRegion="eu-west-1", Name="copy", Encrypted=True)[
        "ImageId"
    ]
    assert (snapshot_of(ec2, first)["Encrypted"], snapshot_of(ec2, second)["Encrypted"]) == (False, True)
    ec2.deregister_image(ImageId=first)
    assert run(ec2, ImageId=second)[1].running
    assert "Tags" not in image_of(ec2, second) or image_of(ec2, second)["Tags"] == []


def test_deregistering_leaves_the_snapshot_and_the_machines(ec2: Any) -> None:
    image_id = bake(ec2)
    snapshot = snapshot_of(ec2, image_id)["SnapshotId"]
    _, machine = run(ec2, ImageId=image_id)
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.deregister_image(ImageId=image_id)
    assert machine.running
    assert machine.store.path(machine.layers[-1]).is_dir()
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert ec2.describe_snapshots(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])["Snapshots"] == []


def test_the_snapshot_may_go_with_the_image(ec2: Any) -> None:
    image_id = bake(ec2)
    snapshot = snapshot_of(ec2, image_id)["SnapshotId"]
    ec2.deregister_image(ImageId=image_id, DeleteAssociatedSnapshots=True)
    assert ec2.describe_snapshots(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])["Snapshots"] == []


def test_a_disabled_image_is_not_listed_starts_nothing_and_keeps_its_snapshot(ec2: Any) -> None:
    image_id = bake(ec2)
    snapshot = snapshot_of(ec2, image_id)["SnapshotId"]
    ec2.disable_image(ImageId=image_id)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    assert image_of(ec2, image_id, IncludeDisabled=True)["State"] == "disabled"
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        run(ec2, ImageId=image_id)
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.enable_image(ImageId=image_id)
    assert run(ec2, ImageId=image_id)[1].running


def test_a_protected_image_is_not_deregistered(ec2: Any) -> None:
    image_id = bake(ec2)
    ec2.enable_image_deregistration_protection(ImageId=image_id)
    assert image_of(ec2, image_id)["DeregistrationProtection"] == "enabled-without-cooldown"
    with pytest.raises(ClientError, match="OperationNotPermitted"):
        ec2.deregister_image(ImageId=image_id)
    ec2.disable_image_deregistration_protection(ImageId=image_id)
    ec2.deregister_image(ImageId=image_id)
    assert ec2.describe_images(Owners=["self"])["Images"] == []
