"""What AWS knows about images and channels; every failure becomes one clear error. Decides nothing.

botocore is imported at the first call: a program that asks nothing does not pay for it.
"""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.aws import causes
from pipeline.aws.patience import SHORT
from pipeline.model import (
    POINTER_ROOT,
    TAG_BAKE_KEY,
    TAG_BAKE_RUN,
    TAG_MANAGED_BY,
    TAG_SOURCE_IMAGE,
    Builder,
    Image,
    PointerVersion,
    Snapshot,
    Subnet,
    held_tag,
    pointer_name,
)
from pipeline.record import held_times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import ImageTypeDef, SubnetTypeDef
    from mypy_boto3_ssm import SSMClient

    from pipeline.aws.patience import Patience

LAG_SECONDS = 30.0
"""How long a read may lag behind a write at the most; mostly it is less than a second."""

LAG_POLL_SECONDS = 0.5

FILTER_VALUES = 200
"""How many values EC2 takes in one filter."""

_ABSENT_IMAGE = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")


class Catalog:
    """The images, channels and networks of one account and region.

    Args:
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
        patience: How long a call may take in all.

    ``AWS_ENDPOINT_URL`` is followed, as by every AWS client.
    """

    def __init__(self, *, region: str, profile: str | None = None, patience: Patience = SHORT) -> None:
        self.region = region
        self._patience = patience
        self._profile = profile

    def image(self, image_id: str, owners: Sequence[str] = ("self",)) -> Image | None:
        """The image of that id, or None if there is none that this account can see.

        One call if it is one of the owners', two otherwise, so that the caller can tell "not there" from
        "somebody else's".

        Raises:
            PipelineError: AWS could not be asked.
        """
        found = self._describe_image(image_id, Owners=list(owners))
        if found is not None:
            return _image(found, allowed_owner=True)
        found = self._describe_image(image_id)
        return None if found is None else _image(found, allowed_owner=False)

    def image_once(
        self, image_id: str, shows: Callable[[Image], bool], *, seconds: float = LAG_SECONDS
    ) -> Image | None:
        """An image of ours, read again until it shows what has just been written, for a while.

        Reads may lag behind writes, and an image just made may not be found ("Eventual consistency in the Amazon EC2
        API", EC2's developer guide).

        Args:
            image_id: The image.
            shows: Whether what was written shows in an image.
            seconds: How long to read.

        Returns:
            The image as it was read last, or None if it was not found: whether it shows that is for the caller to see.

        Raises:
            PipelineError: AWS could not be asked.
        """
        deadline = time.monotonic() + seconds
        while True:
            found = self._describe_image(image_id, Owners=["self"])
            image = None if found is None else _image(found, allowed_owner=True)
            if (image is not None and shows(image)) or time.monotonic() >= deadline:
                return image
            time.sleep(LAG_POLL_SECONDS)

    def images(self, image_ids: Sequence[str]) -> dict[str, Image]:
        """Those of our own images that still exist, by id. A call for 200 of them.

        Raises:
            PipelineError: AWS could not be asked.
        """
        if not image_ids:
            return {}
        # A filter forgives ids of images that are gone; ImageIds does not.
        found = self._own("look images up", "image-id", image_ids)
        return {image.id: image for image in found}

    def baked(self, bake_key: str) -> list[Image]:
        """Our finished images of a bake key; the oldest, which all use, first.

        Raises:
            PipelineError: AWS could not be asked.
        """
        filters = [
            {"Name": f"tag:{TAG_BAKE_KEY}", "Values": [bake_key]},
            {"Name": "state", "Values": ["available"]},
        ]
        with self._asking(f"look up the image of bake key {bake_key}"):
            answer = self._ec2.describe_images(Owners=["self"], Filters=filters)  # type: ignore[arg-type]
        images = [_image(found, allowed_owner=True) for found in answer["Images"]]
        return sorted(images, key=lambda image: (image.created, image.id))

    def finish(self, image: Image, bake_key: str) -> None:
        """Mark an image of ours as the finished one of a bake key, and its snapshots.

        Raises:
            PipelineError: AWS refused.
        """
        tags = {TAG_MANAGED_BY: "packer", TAG_BAKE_KEY: bake_key}
        with self._asking(f"tag {image.id} with {TAG_BAKE_KEY}"):
            self._ec2.create_tags(
                Resources=[image.id, *image.snapshots],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )

    def architectures(self, instance_types: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Instance type to the architectures that it runs, such as ``("x86_64",)``.

        Raises:
            PipelineError: There is no such type, or AWS could not be asked.
        """
        with self._asking(f"look up the instance types {', '.join(instance_types)}"):
            answer = self._ec2.describe_instance_types(InstanceTypes=list(instance_types))  # type: ignore[arg-type]
        return {
            found["InstanceType"]: tuple(found["ProcessorInfo"]["SupportedArchitectures"])
            for found in answer["InstanceTypes"]
        }

    def builders(self) -> list[Builder]:
        """The builders of all bakes in this account and region that have not ended.

        Raises:
            PipelineError: AWS could not be asked.
        """
        filters = [
            {"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]},
            {"Name": "tag-key", "Values": [TAG_BAKE_RUN]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        with self._asking("look for builders"):
            pages = list(self._ec2.get_paginator("describe_instances").paginate(Filters=filters))  # type: ignore[arg-type]
        return [
            Builder(
                id=found["InstanceId"],
                state=found["State"]["Name"],
                since=found["LaunchTime"],
                bake_key=tags_of(found.get("Tags")).get(TAG_BAKE_RUN, ""),
            )
            for page in pages
            for reservation in page["Reservations"]
            for found in reservation["Instances"]
        ]

    def newest_image(self, *, owners: Sequence[str], name: str, architecture: str) -> Image | None:
        """The newest available image that a template's source filter would find, or None.

        Args:
            owners: Whose images are looked at.
            name: A name with ``*`` and ``?``.
            architecture: Such as ``x86_64``.

        Raises:
            PipelineError: AWS could not be asked.
        """
        wanted = {
            "name": name,
            "architecture": architecture,
            "root-device-type": "ebs",
            "virtualization-type": "hvm",
            "state": "available",
        }
        with self._asking(f"look up the newest image named {name}"):
            answer = self._ec2.describe_images(
                Owners=list(owners),
                Filters=[{"Name": key, "Values": [value]} for key, value in wanted.items()],
            )
        images = [_image(found, allowed_owner=True) for found in answer["Images"]]
        return max(images, key=lambda image: (image.created, image.id), default=None)

    def pointer(self, role: str, channel: str) -> str | None:
        """The id of the image that a channel holds, or None if it holds none.

        Raises:
            PipelineError: AWS could not be asked.
        """
        name = pointer_name(role, channel)
        with self._asking(f"read the pointer {name}"):
            try:
                return self._ssm.get_parameter(Name=name)["Parameter"]["Value"]
            except self._ssm.exceptions.ParameterNotFound:
                return None

    def pointer_history(self, role: str, channel: str) -> list[PointerVersion]:
        """What a channel has held, newest first; empty if it never held anything.

        SSM keeps the last 100 versions of a parameter.

        Raises:
            PipelineError: AWS could not be asked.
        """
        return self.history_of(pointer_name(role, channel))

    def history_of(self, name: str) -> list[PointerVersion]:
        """The same by the parameter's name.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking(f"read the history of {name}"):
            return aws.parameter_history(self._ssm, name)

    def held_before(self, role: str, channel: str) -> dict[str, datetime]:
        """Image id to when a channel came to hold it first, of our images that have a tag which says so.

        Raises:
            PipelineError: AWS could not be asked.
        """
        found = self._own(f"look up what channel {channel} has held", "tag-key", [held_tag(channel)])
        return held_times(found, role, channel)

    def pointers(self) -> dict[str, str]:
        """What every channel of every role holds: the parameter's name to image id.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking("read the pointers of all channels"):
            pages = list(
                self._ssm.get_paginator("get_parameters_by_path").paginate(Path=POINTER_ROOT, Recursive=True)
            )
        return {found["Name"]: found["Value"] for page in pages for found in page["Parameters"]}

    def descendants(self, image_id: str) -> list[Image]:
        """Our images that were baked from an image, or from one that was; nearest first. A call for 200 parents.

        Raises:
            PipelineError: AWS could not be asked.
        """
        found: dict[str, Image] = {}
        parents = [image_id]
        while parents:
            children = self._own(
                f"look up the images baked from {image_id}", f"tag:{TAG_SOURCE_IMAGE}", parents
            )
            parents = [child.id for child in children if child.id not in found and child.id != image_id]
            found |= {child.id: child for child in children if child.id in parents}
        return list(found.values())

    def own_images(self) -> list[Image]:
        """All of our images.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking("list our images"):
            pages = list(
                self._ec2.get_paginator("describe_images").paginate(Owners=["self"], IncludeDisabled=True)
            )
        return [_image(found, allowed_owner=True) for page in pages for found in page["Images"]]

    def _own(self, purpose: str, filter_name: str, values: Sequence[str]) -> list[Image]:
        """Our images that one of the values fits, disabled ones too."""
        found: list[Image] = []
        with self._asking(purpose):
            paginator = self._ec2.get_paginator("describe_images")
            for start in range(0, len(values), FILTER_VALUES):
                fits = {"Name": filter_name, "Values": list(values[start : start + FILTER_VALUES])}
                for page in paginator.paginate(Owners=["self"], Filters=[fits], IncludeDisabled=True):  # type: ignore[list-item]
                    found += [_image(image, allowed_owner=True) for image in page["Images"]]
        return found

    def used_images(self) -> dict[str, str]:
        """Image id to one thing that uses it: a machine, or a launch template version that can still be launched.

        Those are a template's default and latest version, and the versions that Auto Scaling groups name.

        Raises:
            PipelineError: AWS could not be asked.
        """
        used: dict[str, str] = {}
        with self._asking("list what images are used by"):
            versions = [
                {"LaunchTemplateId": found["LaunchTemplateId"], "Versions": ["$Default", "$Latest"]}
                for page in self._ec2.get_paginator("describe_launch_templates").paginate()
                for found in page["LaunchTemplates"]
            ]
            for page in self._client("autoscaling").get_paginator("describe_auto_scaling_groups").paginate():
                versions += [
                    {
                        "LaunchTemplateId": one["LaunchTemplateId"],
                        "Versions": [one.get("Version", "$Default")],
                    }
                    for group in page["AutoScalingGroups"]
                    for one in _templates(group)
                ]
            for wanted in versions:
                answer = self._ec2.describe_launch_template_versions(**wanted)  # type: ignore[arg-type]
                for found in answer["LaunchTemplateVersions"]:
                    image = found["LaunchTemplateData"].get("ImageId")
                    if image:
                        used[image] = f"version {found['VersionNumber']} of {found['LaunchTemplateId']}"
            for page in self._ec2.get_paginator("describe_instances").paginate():
                for reservation in page["Reservations"]:
                    for instance in reservation["Instances"]:
                        if instance["State"]["Name"] != "terminated":
                            used[instance["ImageId"]] = instance["InstanceId"]
        return used

    def bake_snapshots(self) -> list[Snapshot]:
        """Our snapshots that bakes made.

        Raises:
            PipelineError: AWS could not be asked.
        """
        packers = {"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]}
        with self._asking("list the snapshots of bakes"):
            pages = list(
                self._ec2.get_paginator("describe_snapshots").paginate(
                    OwnerIds=["self"],
                    Filters=[packers],  # type: ignore[list-item]
                )
            )
        snapshots = [(found, tags_of(found.get("Tags"))) for page in pages for found in page["Snapshots"]]
        return [
            Snapshot(id=found["SnapshotId"], started=found["StartTime"], finished=TAG_BAKE_KEY in tags)
            for found, tags in snapshots
            if {TAG_BAKE_KEY, TAG_BAKE_RUN} & tags.keys()
        ]

    def deregister(self, image_id: str) -> str | None:
        """Remove an image; its snapshots stay. One that is gone already is removed.

        Returns:
            Why EC2 refuses this image, or None.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking(f"deregister {image_id}"):
            return _refusal(
                lambda: self._ec2.deregister_image(ImageId=image_id),
                gone=("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"),
            )

    def delete_snapshot(self, snapshot_id: str) -> str | None:
        """Remove a snapshot; one that is gone already is removed.

        Returns:
            Why EC2 refuses this snapshot, or None.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking(f"delete {snapshot_id}"):
            return _refusal(
                lambda: self._ec2.delete_snapshot(SnapshotId=snapshot_id), gone=("InvalidSnapshot.NotFound",)
            )

    def identity(self) -> str:
        """The ARN of the identity that asks.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking("find out who asks"):
            arn: str = self._client("sts").get_caller_identity()["Arn"]
        return arn

    def tag(self, image_id: str, key: str, value: str) -> None:
        """Tag an image.

        Raises:
            PipelineError: AWS refused.
        """
        with self._asking(f"tag {image_id} with {key}"):
            self._ec2.create_tags(Resources=[image_id], Tags=[{"Key": key, "Value": value}])

    def untag(self, image_id: str, key: str) -> None:
        """Remove a tag of an image, whatever its value.

        Raises:
            PipelineError: AWS refused.
        """
        with self._asking(f"remove the tag {key} from {image_id}"):
            self._ec2.delete_tags(Resources=[image_id], Tags=[{"Key": key}])

    def subnet(self, subnet_id: str | None) -> Subnet | None:
        """The subnet of that id; without an id the first default subnet by zone; or None.

        Raises:
            PipelineError: AWS could not be asked.
        """
        with self._asking("look subnets up"):
            found = aws.launch_subnet(self._ec2, subnet_id)
        return None if found is None else _subnet(found)

    def _client(self, service: str) -> Any:
        with self._asking("open a session"):
            return aws.client(service, region=self.region, profile=self._profile, patience=self._patience)

    @cached_property
    def _ec2(self) -> EC2Client:
        client: EC2Client = self._client("ec2")
        return client

    @cached_property
    def _ssm(self) -> SSMClient:
        client: SSMClient = self._client("ssm")
        return client

    def _describe_image(self, image_id: str, **arguments: Any) -> ImageTypeDef | None:
        from botocore.exceptions import ClientError  # noqa: PLC0415

        with self._asking(f"look up the image {image_id}"):
            try:
                images = self._ec2.describe_images(ImageIds=[image_id], IncludeDisabled=True, **arguments)[
                    "Images"
                ]
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT_IMAGE:
                    raise
                return None
        return images[0] if images else None

    def _asking(self, purpose: str) -> AbstractContextManager[None]:
        """What botocore raises becomes an error that says what was wanted and how AWS was reached."""
        return aws.asking(purpose, region=self.region, profile=self._profile)


def tags_of(tags: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """EC2's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def _refusal(call: Callable[[], object], *, gone: Sequence[str]) -> str | None:
    """Make a call about one thing; what EC2 says if it refuses just that."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in gone:
            return None
        if causes.of_all(error):
            raise
        return causes.said(error)
    return None


def _templates(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The launch templates that an Auto Scaling group names."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    specified = [mixed.get("LaunchTemplateSpecification")]
    specified += [one.get("LaunchTemplateSpecification") for one in mixed.get("Overrides", ())]
    return [one for one in (group.get("LaunchTemplate"), *specified) if one]


def _image(found: ImageTypeDef, *, allowed_owner: bool) -> Image:
    return Image(
        id=found["ImageId"],
        name=found.get("Name", ""),
        owner=found.get("OwnerId", ""),
        allowed_owner=allowed_owner,
        state=found.get("State", ""),
        architecture=found.get("Architecture", ""),
        created=found.get("CreationDate", ""),
        tags=tags_of(found.get("Tags")),
        snapshots=tuple(
            device["Ebs"]["SnapshotId"]
            for device in found.get("BlockDeviceMappings", ())
            if device.get("Ebs", {}).get("SnapshotId")
        ),
        # After it is switched off, EC2 says until when it protects the image still.
        protected=found.get("DeregistrationProtection", "disabled") != "disabled",
        root_device=found.get("RootDeviceName", ""),
    )


def _subnet(found: SubnetTypeDef) -> Subnet:
    return Subnet(
        id=found["SubnetId"],
        vpc_id=found["VpcId"],
        cidr=found["CidrBlock"],
        public_by_default=found.get("MapPublicIpOnLaunch", False),
    )
