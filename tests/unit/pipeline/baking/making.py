"""What the tests of a bake share: its plan, and images of the account."""

from datetime import UTC, datetime
from typing import Any

import boto3
from moto.ec2.models import ec2_backends

REGION = "eu-west-1"
KEY = "0" * 32

WRITE_MANIFEST = """
pathlib.Path(variables["manifest_path"]).write_text(json.dumps({
    "last_run_uuid": "run-1",
    "builds": [{"name": "image", "packer_run_uuid": "run-1",
                "artifact_id": "eu-west-1:" + (here / "image").read_text()}],
}))
"""


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "bakeKey": KEY,
        "region": REGION,
        "variables": {
            "image_role": "web",
            "image_version": "1.0.0",
            "source_image_name": "source-*",
            "source_image_owners": ["self"],
        },
        "access": {"subnet_id": "subnet-1"},
        "timeoutMinutes": 60,
        **changes,
    }


def register(name: str, **tags: str) -> str:
    ec2 = boto3.client("ec2", region_name=REGION)
    image_id: str = ec2.register_image(Name=name, Architecture="x86_64")["ImageId"]
    if tags:
        ec2.create_tags(Resources=[image_id], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    # EC2 and moto count in seconds; here each is a second younger than the one before.
    images = ec2_backends["123456789012"][REGION].amis
    images[image_id].creation_date = datetime(2026, 1, 31, 12, 0, len(images), tzinfo=UTC)
    return image_id


def tags(image_id: str) -> dict[str, str]:
    (image,) = boto3.client("ec2", region_name=REGION).describe_images(ImageIds=[image_id])["Images"]
    return {tag["Key"]: tag["Value"] for tag in image.get("Tags", [])}


def register_source(name: str, root_device: str = "/dev/sda1") -> None:
    image = ec2_backends["123456789012"][REGION].amis[register(name)]
    image.root_device_type, image.virtualization_type, image.architecture = "ebs", "hvm", "x86_64"
    image.root_device_name = root_device
