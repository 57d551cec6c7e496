"""What a bake that did not end well has left: found by the tag of its run, removed, or named."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.aws.images import tags_of
from pipeline.errors import PipelineError
from pipeline.model import TAG_BAKE_ID, TAG_BAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from pipeline.model import Builder

ALIVE = ("pending", "running", "stopping", "stopped")
"""States of an instance that exists (EC2, DescribeInstances)."""

POLL_SECONDS = 3
POLLS = 100
"""How long a builder may take to end: five minutes."""

Chore = tuple[str, "Callable[[], object]"]
"""What is there, in words, and how it goes."""


def remove(*, region: str, bake_id: str, say: Callable[[str], None]) -> list[str]:
    """Remove the builder, key pair, security group and unfinished image of one run.

    Args:
        region: AWS region.
        bake_id: The run's tag BakeId.
        say: Called with each thing that is removed.

    Returns:
        What is still there, each with the reason; empty if nothing is.
    """
    left = []
    try:
        ec2 = aws.client("ec2", region=region)
        for finder in (_builders, _key_pairs, _groups, _images):
            for what, remove_it in finder(ec2, bake_id):
                say(f"removing {what}, which Packer has left")
                problem = _attempt(what, remove_it, region)
                if problem:
                    left.append(problem)
    except Exception as error:
        explained = aws.explain(f"look for what bake {bake_id} has left", error, region=region)
        if explained is None:
            raise
        left.append(f"{explained.what}: {explained.seen}")
    return left


def told(builders: Sequence[Builder], now: datetime) -> list[str]:
    """A line for each builder that is there before a bake begins."""
    return [
        f"builder {one.id} of another bake ({one.bake_key}) is {one.state}, since {one.since:%Y-%m-%d %H:%M} UTC "
        f"({(now - one.since).total_seconds() / 60:.0f} minutes ago); if that bake does not run any more, the "
        "builder was left behind: `python -m pipeline doctor` has the command that ends it"
        for one in builders
    ]


def _attempt(what: str, remove_it: Callable[[], object], region: str) -> str | None:
    """The problem, or None."""
    try:
        remove_it()
    except Exception as error:
        explained = (
            error if isinstance(error, PipelineError) else aws.explain(f"remove {what}", error, region=region)
        )
        if explained is None:
            raise
        return f"{what}: {explained.seen or explained.what}"
    return None


def _of(bake_id: str) -> list[dict[str, Any]]:
    return [{"Name": f"tag:{TAG_BAKE_ID}", "Values": [bake_id]}]


def _builders(ec2: Any, bake_id: str) -> Iterator[Chore]:
    filters = [*_of(bake_id), {"Name": "instance-state-name", "Values": list(ALIVE)}]
    for page in ec2.get_paginator("describe_instances").paginate(Filters=filters):
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                yield f"builder {instance['InstanceId']}", partial(_end, ec2, instance["InstanceId"])


def _end(ec2: Any, instance_id: str) -> None:
    ec2.terminate_instances(InstanceIds=[instance_id])
    # Its security group can be deleted only after it.
    ec2.get_waiter("instance_terminated").wait(
        InstanceIds=[instance_id], WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": POLLS}
    )


def _key_pairs(ec2: Any, bake_id: str) -> Iterator[Chore]:
    for pair in ec2.describe_key_pairs(Filters=_of(bake_id))["KeyPairs"]:
        name = pair["KeyName"]
        yield f"key pair {name}", partial(ec2.delete_key_pair, KeyName=name)


def _groups(ec2: Any, bake_id: str) -> Iterator[Chore]:
    for group in ec2.describe_security_groups(Filters=_of(bake_id))["SecurityGroups"]:
        name = group["GroupId"]
        yield f"security group {name}", partial(ec2.delete_security_group, GroupId=name)


def _images(ec2: Any, bake_id: str) -> Iterator[Chore]:
    """Images of the run that were never finished."""
    for image in ec2.describe_images(Owners=["self"], Filters=_of(bake_id))["Images"]:
        if TAG_BAKE_KEY not in tags_of(image.get("Tags")):
            yield f"unfinished image {image['ImageId']}", partial(_discard, ec2, image)


def _discard(ec2: Any, image: Any) -> None:
    ec2.deregister_image(ImageId=image["ImageId"])
    for device in image.get("BlockDeviceMappings", ()):
        if device.get("Ebs", {}).get("SnapshotId"):
            ec2.delete_snapshot(SnapshotId=device["Ebs"]["SnapshotId"])
