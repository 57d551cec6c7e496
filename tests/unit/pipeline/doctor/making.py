"""The stacks that the tests of this folder are about."""

import json
from typing import Any

from moto.ec2.models import ec2_backends

from pipeline.doctor.stacks import Purpose, Stack
from pipeline.settings import load

REGION = "eu-west-1"


def stack(name: str = "dev", purpose: Purpose = "update", **values: Any) -> Stack:
    """A stack as its file would have it: ``dev`` bakes, any other takes its image from channel candidate."""
    config = (
        {"channel": "candidate", "from": "bake"} if name == "dev" else {"channel": name, "from": "candidate"}
    )
    texts = {
        f"golden-image:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in {"role": "web", **config, **values}.items()
    }
    return Stack(load.parse({"aws:region": REGION, **texts}, stack=name), purpose)


DEV, PROD = stack("dev"), stack("prod")

OWN_SOURCE = {"variables": {"source_image_name": "source-*", "source_image_owners": ["self"]}}
"""``bake`` of a stack whose source image is the one of `source_image`."""

GROUP = {"group": {"minSize": 1, "maxSize": 2, "subnetIds": ["subnet-0123456789abcdef0"]}}
"""``fleet`` of a stack with a group of machines."""


def source_image(ec2: Any) -> None:
    """Register an image that a source filter finds."""
    image = ec2.register_image(Name="source-1", RootDeviceName="/dev/xvda")["ImageId"]
    # Moto takes none of these from the call.
    found = ec2_backends["123456789012"][REGION].amis[image]
    found.architecture, found.root_device_type, found.virtualization_type = "x86_64", "ebs", "hvm"
