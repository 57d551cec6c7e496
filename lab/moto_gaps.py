"""What EC2 does and moto does not, as far as Packer and the program notice."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.models.amis import AmiBackend
from moto.ec2.responses.general import General

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.ec2.models.amis import Ami

ROOT_DEVICE = "/dev/xvda"


def fill(console: Callable[[str], str]) -> None:
    """Fill the gaps, for this process.

    Args:
        console: What the machine of an instance id printed.
    """
    General.get_console_output = _console_output(console)  # type: ignore[method-assign, assignment]
    AmiBackend.create_image = _as_ec2_does(AmiBackend.create_image)  # type: ignore[method-assign]


def _console_output(console: Callable[[str], str]) -> Callable[[General], ActionResult]:
    """Moto answers GetConsoleOutput with a sample; EC2 with what the machine printed."""

    def get_console_output(self: General) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": base64.b64encode(console(instance.id).encode()).decode(),
            }
        )

    return get_console_output


def _as_ec2_does(create_image: Callable[..., Ami]) -> Callable[..., Ami]:
    """Moto refuses CreateImage with tags for the snapshot, and forgets that the root is on EBS."""

    def create(
        self: Any, instance_id: str, name: str, description: str, tag_specifications: list[dict[str, Any]]
    ) -> Ami:
        for_snapshot = [spec for spec in tag_specifications if spec["ResourceType"] == "snapshot"]
        others = [spec for spec in tag_specifications if spec["ResourceType"] != "snapshot"]
        image = create_image(self, instance_id, name, description, tag_specifications=others)
        for spec in for_snapshot:
            image.ebs_snapshot.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})
        image.root_device_type, image.root_device_name = "ebs", ROOT_DEVICE
        return image

    return create
