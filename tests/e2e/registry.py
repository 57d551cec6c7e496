"""Images that nobody baked: of a machine that only just stopped, so that a test of channels takes seconds."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.workbench import Workbench

EVIDENCE = "2026-01-31T12:00:00Z suite a report b"
"""What a validation would have left on an image."""


def baked_tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """Tags for an image and its snapshots, as a bake leaves them on both."""
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [{"ResourceType": kind, "Tags": wanted} for kind in ("image", "snapshot")]


def remove(ec2: Any, image: str) -> None:
    """Deregister an image and delete its snapshots, which a retirement would find otherwise."""
    devices = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    ec2.deregister_image(ImageId=image)
    for snapshot in {device["Ebs"]["SnapshotId"] for device in devices if "Ebs" in device}:
        ec2.delete_snapshot(SnapshotId=snapshot)


class Registry:
    """Registers images of one machine; see `registry`."""

    def __init__(self, ec2: Any, machine: str) -> None:
        self._ec2 = ec2
        self.machine = machine

    def image(self, name: str, tags: Mapping[str, str]) -> str:
        """An image of that name with those tags."""
        image: str = self._ec2.create_image(
            InstanceId=self.machine, Name=name, TagSpecifications=baked_tags(tags)
        )["ImageId"]
        return image

    def validated(self, role: str, count: int) -> list[str]:
        """Images of a role that look as if they had passed."""
        tags = {"Role": role, "Validated": EVIDENCE, "ManagedBy": "packer", "BakeKey": "0" * 32}
        return [self.image(f"{role}-{number}", tags) for number in range(count)]


@contextmanager
def registry(bench: Workbench) -> Iterator[Registry]:
    """A machine to make images of, for the time being."""
    ec2 = bench.client("ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    launched = ec2.run_instances(ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"]
    machine: str = launched[0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[machine])
    yield Registry(ec2, machine)
    ec2.terminate_instances(InstanceIds=[machine])
