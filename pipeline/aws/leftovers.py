"""What a bake that did not end well has left, found by the tag of its run, and how each thing goes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.aws.images import tags_of
from pipeline.model import TAG_BAKE_ID, TAG_BAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.aws.clients import Session

ALIVE = ("pending", "running", "stopping", "stopped")
"""States of an instance that exists (EC2, DescribeInstances)."""

POLL_SECONDS = 3
POLLS = 100
"""How long a builder may take to end: five minutes."""

Chore = tuple[str, "Callable[[], object]"]
"""What is there, in words, and how it goes."""


def of_bake(session: Session, bake_id: str) -> Iterator[Chore]:
    """Builder, key pair, security group and unfinished image of one run.

    A group can be deleted only after its builder has ended: the next thing is looked for when the one before is gone.

    Raises:
        PipelineError: AWS was not reached, or refused; also when a thing is removed.
    """
    for find in (_builders, _key_pairs, _groups, _images):
        with session.asking(f"look for what bake {bake_id} has left"):
            found = list(find(session, [{"Name": f"tag:{TAG_BAKE_ID}", "Values": [bake_id]}]))
        for what, remove in found:
            yield what, partial(_removed, session, what, remove)


def _removed(session: Session, what: str, remove: Callable[[], object]) -> None:
    with session.asking(f"remove {what}"):
        remove()


def _builders(session: Session, fits: list[dict[str, Any]]) -> Iterator[Chore]:
    filters = [*fits, {"Name": "instance-state-name", "Values": list(ALIVE)}]
    for reservation in session.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for instance in reservation["Instances"]:
            yield f"builder {instance['InstanceId']}", partial(_end, session, instance["InstanceId"])


def _end(session: Session, instance_id: str) -> None:
    ec2 = session.client("ec2")
    ec2.terminate_instances(InstanceIds=[instance_id])
    ec2.get_waiter("instance_terminated").wait(
        InstanceIds=[instance_id], WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": POLLS}
    )


def _key_pairs(session: Session, fits: list[dict[str, Any]]) -> Iterator[Chore]:
    ec2 = session.client("ec2")
    for pair in ec2.describe_key_pairs(Filters=fits)["KeyPairs"]:
        yield f"key pair {pair['KeyName']}", partial(ec2.delete_key_pair, KeyName=pair["KeyName"])


def _groups(session: Session, fits: list[dict[str, Any]]) -> Iterator[Chore]:
    ec2 = session.client("ec2")
    for group in ec2.describe_security_groups(Filters=fits)["SecurityGroups"]:
        yield (
            f"security group {group['GroupId']}",
            partial(ec2.delete_security_group, GroupId=group["GroupId"]),
        )


def _images(session: Session, fits: list[dict[str, Any]]) -> Iterator[Chore]:
    """Images of the run that were never finished."""
    for image in session.client("ec2").describe_images(Owners=["self"], Filters=fits)["Images"]:
        if TAG_BAKE_KEY not in tags_of(image.get("Tags")):
            yield f"unfinished image {image['ImageId']}", partial(_discard, session, image)


def _discard(session: Session, image: Any) -> None:
    ec2 = session.client("ec2")
    ec2.deregister_image(ImageId=image["ImageId"])
    for device in image.get("BlockDeviceMappings", ()):
        if device.get("Ebs", {}).get("SnapshotId"):
            ec2.delete_snapshot(SnapshotId=device["Ebs"]["SnapshotId"])
