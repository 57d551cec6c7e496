"""Disks and images as EC2 has them, where moto knows less: mappings, encryption, copies, states, protection.

Always on: this is what the calls mean, not how late they are answered. One disk a machine, as the lab's have.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, MissingParameterError
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.instances import InstanceResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.ec2.models.elastic_block_store import Volume
    from moto.ec2.models.instances import Reservation

ROOT_DEVICE = "/dev/xvda"
VOLUME_TYPE = "gp3"
OFF = "disabled"


def fill() -> None:
    """Replace these parts of moto, for this process; a second time does nothing."""
    if hasattr(Ami, "deregistration_protection"):
        return
    parts: tuple[tuple[Any, str, Any], ...] = (
        (Ami, "deregistration_protection", OFF),
        (Ami, "copied_from", None),
        (Ami, "block_device_mappings", property(_mappings_of_image)),
        (EBSBackend, "create_volume", _create_volume(EBSBackend.create_volume)),
        (InstanceBackend, "run_instances", _run_instances(InstanceBackend.run_instances)),
        (InstanceResponse, "_parse_block_device_mapping", _mappings_of_call),
        (AmiBackend, "create_image", _create_image(AmiBackend.create_image)),
        (AmisResponse, "copy_image", _copy_image),
        (AmisResponse, "describe_images", _describe_images),
        (AmisResponse, "deregister_image", _deregister_image),
        (AmisResponse, "enable_image_deregistration_protection", _protect),
        (AmisResponse, "disable_image_deregistration_protection", _unprotect),
    )
    for owner, name, value in parts:
        setattr(owner, name, value)


def root_volume(instance: Any) -> Volume | None:
    """The volume that an instance boots from."""
    attached = instance.block_device_mapping.get(instance.root_device_name)
    return instance.ec2_backend.volumes.get(attached.volume_id) if attached else None


def _mappings_of_image(image: Any) -> list[dict[str, Any]]:
    """The root device, from its snapshot (API reference, DescribeImages, BlockDeviceMapping)."""
    snapshot = image.ebs_snapshot
    disk = {
        "SnapshotId": snapshot.id,
        "VolumeSize": snapshot.volume.size,
        "DeleteOnTermination": True,
        "VolumeType": VOLUME_TYPE,
        "Encrypted": snapshot.encrypted,
    }
    return [{"DeviceName": image.root_device_name, "Ebs": disk}]


def _create_volume(create_volume: Callable[..., Volume]) -> Callable[..., Volume]:
    """Encrypted if the call says so, if its snapshot is, or if the account encrypts by default.

    "After you enable encryption by default, the EBS volumes that you create are always encrypted" (API reference,
    EnableEbsEncryptionByDefault).
    """

    @functools.wraps(create_volume)
    def create(self: Any, *args: Any, encrypted: bool = False, **kwargs: Any) -> Volume:
        snapshot = self.snapshots.get(kwargs.get("snapshot_id"))
        by_default = getattr(self, "ebs_encryption_by_default", False)
        encrypted = bool(encrypted or by_default or (snapshot is not None and snapshot.encrypted))
        return create_volume(self, *args, encrypted=encrypted, **kwargs)

    return create


def _mappings_of_call(response: InstanceResponse) -> list[dict[str, Any]]:
    """As they came: what the call leaves out is the image's to say."""
    found: list[dict[str, Any]] = response._get_param("BlockDeviceMappings", [])
    return found


def _run_instances(run_instances: Callable[..., Reservation]) -> Callable[..., Reservation]:
    """Launch with the image's disks, as the launch template and then the call change them.

    "You can specify block device mappings to override those of the AMI" (EC2 user guide, "Block device mapping").
    An image that is not available starts nothing (error codes, InvalidAMIID.Unavailable).
    """

    @functools.wraps(run_instances)
    def run(self: Any, image_id: str, *args: Any, **kwargs: Any) -> Reservation:
        template = kwargs.get("launch_template")
        data = self._get_template_from_args(template).data if template else {}
        image = self.amis.get(image_id or data.get("ImageId"))
        if image is not None and image.state != "available":
            raise EC2ClientError("InvalidAMIID.Unavailable", f"The image ID '{image.id}' is not available")
        if image is not None:
            disks = {one["DeviceName"]: one["Ebs"] for one in _mappings_of_image(image)}
            asked = kwargs.pop("block_device_mappings", None)
            for one in [*data.get("BlockDeviceMappings", []), *(asked or [])]:
                _override(disks, one)
            kwargs["block_device_mappings"] = [
                {"DeviceName": name, "Ebs": disk} for name, disk in disks.items()
            ]
        return run_instances(self, image_id, *args, **kwargs)

    return run


def _override(disks: dict[str, dict[str, Any]], mapping: dict[str, Any]) -> None:
    """One mapping of a call, over those that there are.

    Raises:
        MissingParameterError: A disk without a size, which no image has either.
    """
    name = mapping["DeviceName"]
    if "NoDevice" in mapping:
        disks.pop(name, None)
        return
    given = {key: value for key, value in mapping.get("Ebs", {}).items() if value is not None}
    disk = {"DeleteOnTermination": True, "VolumeType": VOLUME_TYPE, **disks.get(name, {}), **given}
    if not disk.get("VolumeSize") and not disk.get("SnapshotId"):
        raise MissingParameterError("size or snapshotId")
    disk["VolumeSize"] = int(disk["VolumeSize"]) if disk.get("VolumeSize") else None
    disk["Encrypted"] = str(disk.get("Encrypted", False)).lower() == "true"
    disks[name] = disk


def _create_image(create_image: Callable[..., Ami]) -> Callable[..., Ami]:
    """Tags for the snapshot are refused by moto, which also forgets the root disk: the snapshot is of that one.

    "Snapshots of encrypted volumes are automatically encrypted" (EBS user guide, "Amazon EBS encryption"). An instance
    in another state is refused: hashicorp/packer issue 9562.
    """

    @functools.wraps(create_image)
    def create(
        self: Any, instance_id: str, name: str, description: str, tag_specifications: list[dict[str, Any]]
    ) -> Ami:
        instance = self.get_instance(instance_id)
        if instance.state not in {"running", "stopped"}:
            message = f"Invalid value '{instance_id}' for instanceId. Instance is not in state 'running' or 'stopped'"
            raise EC2ClientError("InvalidParameterValue", message)
        others = [spec for spec in tag_specifications if spec["ResourceType"] != "snapshot"]
        image = create_image(self, instance_id, name, description, tag_specifications=others)
        _tag(image.ebs_snapshot, tag_specifications, "snapshot")
        image.root_device_type, image.root_device_name = "ebs", ROOT_DEVICE
        volume = root_volume(instance)
        if volume is not None:
            snapshot = image.ebs_snapshot
            snapshot.volume, snapshot.encrypted, snapshot.kms_key_id = (
                volume,
                volume.encrypted,
                volume.kms_key_id,
            )
        return image

    return create


def _tag(resource: Any, specifications: list[dict[str, Any]], kind: str) -> None:
    for spec in specifications:
        if spec["ResourceType"] == kind:
            resource.add_tags({tag["Key"]: tag["Value"] for tag in spec["Tags"]})


def _copy_image(response: AmisResponse) -> ActionResult:
    """A second image, with a snapshot of its own; encrypted if the call, the source or the account says so.

    "You can encrypt a copy of an unencrypted snapshot, but you cannot create an unencrypted copy of an encrypted
    snapshot" (API reference, CopyImage, Encrypted). Tags are those of the call, unless CopyImageTags.
    """
    asked = response._get_param
    response.error_on_dryrun()
    backend: Any = response.ec2_backend
    [source] = backend.describe_images(ami_ids=[asked("SourceImageId")]) or [None]
    if source is None:
        raise InvalidAMIIdError(asked("SourceImageId"))
    if source.state != "available":
        raise EC2ClientError("InvalidAMIID.Unavailable", f"The image ID '{source.id}' is not available")
    image = backend.copy_image(source.id, asked("SourceRegion"), asked("Name"), asked("Description"))
    image.copied_from = source.id
    image.root_device_type, image.root_device_name = source.root_device_type, source.root_device_name
    snapshot = image.ebs_snapshot
    snapshot.encrypted = bool(
        asked("Encrypted") or source.ebs_snapshot.encrypted or backend.ebs_encryption_by_default
    )
    snapshot.kms_key_id = asked("KmsKeyId")
    snapshot.volume = source.ebs_snapshot.volume
    if asked("CopyImageTags"):
        image.add_tags({tag["key"]: tag["value"] for tag in source.get_tags()})
    for kind, resource in (("image", image), ("snapshot", snapshot)):
        _tag(resource, asked("TagSpecifications", []), kind)
    return ActionResult({"ImageId": image.id})


def _describe_images(response: AmisResponse) -> ActionResult:
    """Without disabled images, unless IncludeDisabled (API reference, DescribeImages)."""
    asked = response._get_param
    response.error_on_dryrun()
    images = response.ec2_backend.describe_images(
        ami_ids=asked("ImageIds", []),
        filters=response._filters_from_querystring(),
        exec_users=asked("ExecutableUsers", []),
        owners=asked("Owners", []),
    )
    with_disabled = asked("IncludeDisabled")
    return ActionResult({"Images": [one for one in images if with_disabled or one.state != "disabled"]})


def _deregister_image(response: AmisResponse) -> ActionResult:
    """Refused while it is protected; the snapshots stay, unless DeleteAssociatedSnapshots.

    "Deregistering an AMI has no effect on any instances that were launched from the AMI" (EC2 user guide,
    "Deregister an Amazon EC2 AMI"; "Protect an Amazon EC2 AMI from deregistration").
    """
    asked = response._get_param
    response.error_on_dryrun()
    backend: Any = response.ec2_backend
    image = backend.amis.get(asked("ImageId"))
    if image is not None and image.deregistration_protection != OFF:
        raise EC2ClientError(
            "OperationNotPermitted",
            f"The image {image.id} cannot be deregistered: it is protected from deregistration",
        )
    backend.deregister_image(asked("ImageId"))
    results = []
    if image is not None and asked("DeleteAssociatedSnapshots"):
        backend.delete_snapshot(image.ebs_snapshot.id)
        results.append({"SnapshotId": image.ebs_snapshot.id, "ReturnCode": "success"})
    return ActionResult({"Return": True, "DeleteSnapshotResults": results})


def _protect(response: AmisResponse) -> ActionResult:
    """EnableImageDeregistrationProtection."""
    cooldown = response._get_param("WithCooldown")
    return _set_protection(response, f"enabled-{'with' if cooldown else 'without'}-cooldown")


def _unprotect(response: AmisResponse) -> ActionResult:
    """DisableImageDeregistrationProtection; the lab waits for no cooldown."""
    return _set_protection(response, OFF)


def _set_protection(response: AmisResponse, value: str) -> ActionResult:
    response.error_on_dryrun()
    image_id = response._get_param("ImageId")
    image: Any = response.ec2_backend.amis.get(image_id)
    if image is None:
        raise InvalidAMIIdError(image_id)
    image.deregistration_protection = value
    return ActionResult({"Return": value})
