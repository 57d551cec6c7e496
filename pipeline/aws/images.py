"""The machine images of an account, and their snapshots. Decides nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from pipeline.aws import causes
from pipeline.aws.clients import Service
from pipeline.model import (
    TAG_BAKE_KEY,
    TAG_BAKE_RUN,
    TAG_MANAGED_BY,
    TAG_SOURCE_IMAGE,
    Image,
    Snapshot,
    held_tag,
)
from pipeline.record import held_times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

LAG_SECONDS = 30.0
"""How long a read may lag behind a write at the most; mostly it is less than a second."""

LAG_POLL_SECONDS = 0.5

FILTER_VALUES = 200
"""How many values EC2 takes in one filter."""

_ABSENT = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable")


class Images(Service):
    """The images and snapshots of one account and region."""

    def find(self, image_id: str, owners: Sequence[str] = ("self",)) -> Image | None:
        """The image of that id, or None if this account can see no such image.

        One call if it is one of the owners', two otherwise, so that the caller can tell "not there" from
        "somebody else's".
        """
        found = self._described(image_id, Owners=list(owners))
        if found is not None:
            return _image(found, allowed_owner=True)
        found = self._described(image_id)
        return None if found is None else _image(found, allowed_owner=False)

    def find_once(
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
        """
        deadline = time.monotonic() + seconds
        while True:
            found = self._described(image_id, Owners=["self"])
            image = None if found is None else _image(found, allowed_owner=True)
            if (image is not None and shows(image)) or time.monotonic() >= deadline:
                return image
            time.sleep(LAG_POLL_SECONDS)

    def existing(self, image_ids: Sequence[str]) -> dict[str, Image]:
        """Those of our own images that still exist, by id. A call for 200 of them."""
        # A filter forgives ids of images that are gone; ImageIds does not.
        return {image.id: image for image in self._of_any("look images up", "image-id", image_ids)}

    def shown(self, image_ids: Iterable[str], *, ours: bool) -> set[str]:
        """Those of some images that are there, and ours if asked for; disabled ones are not."""
        fits = [{"Name": "image-id", "Values": sorted(image_ids)}]
        owners = {"Owners": ["self"]} if ours else {}
        with self._session.asking("look images up"):
            answer = self._ec2.describe_images(Filters=fits, **owners)
        return {image["ImageId"] for image in answer["Images"]}

    def baked(self, bake_key: str) -> list[Image]:
        """Our finished images of a bake key; the oldest, which all use, first."""
        fits = {f"tag:{TAG_BAKE_KEY}": bake_key, "state": "available"}
        found = self._list(f"look up the image of bake key {bake_key}", fits)
        return sorted(found, key=lambda image: (image.created, image.id))

    def newest(self, *, owners: Sequence[str], name: str, architecture: str) -> Image | None:
        """The newest available image that a template's source filter would find, or None.

        Args:
            owners: Whose images are looked at.
            name: A name with ``*`` and ``?``.
            architecture: Such as ``x86_64``.
        """
        fits = {
            "name": name,
            "architecture": architecture,
            "root-device-type": "ebs",
            "virtualization-type": "hvm",
            "state": "available",
        }
        found = self._list(f"look up the newest image named {name}", fits, owners)
        return max(found, key=lambda image: (image.created, image.id), default=None)

    def held_before(self, role: str, channel: str) -> dict[str, datetime]:
        """Image id to when a channel came to hold it first, of our images that have a tag which says so."""
        found = self._of_any(f"look up what channel {channel} has held", "tag-key", [held_tag(channel)])
        return held_times(found, role, channel)

    def descendants(self, image_id: str) -> list[Image]:
        """Our images that were baked from an image, or from one that was; nearest first. A call for 200 parents."""
        found: dict[str, Image] = {}
        parents = [image_id]
        while parents:
            children = self._of_any(
                f"look up the images baked from {image_id}", f"tag:{TAG_SOURCE_IMAGE}", parents
            )
            parents = [child.id for child in children if child.id not in found and child.id != image_id]
            found |= {child.id: child for child in children if child.id in parents}
        return list(found.values())

    def ours(self) -> list[Image]:
        """All of our images, disabled ones too."""
        with self._session.asking("list our images"):
            found = self._session.pages(
                "ec2", "describe_images", "Images", Owners=["self"], IncludeDisabled=True
            )
        return [_image(image, allowed_owner=True) for image in found]

    def snapshots(self) -> list[Snapshot]:
        """Our snapshots that bakes made."""
        packers = {"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]}
        with self._session.asking("list the snapshots of bakes"):
            found = self._session.pages(
                "ec2", "describe_snapshots", "Snapshots", OwnerIds=["self"], Filters=[packers]
            )
        tagged = [(snapshot, tags_of(snapshot.get("Tags"))) for snapshot in found]
        return [
            Snapshot(id=found["SnapshotId"], started=found["StartTime"], finished=TAG_BAKE_KEY in tags)
            for found, tags in tagged
            if {TAG_BAKE_KEY, TAG_BAKE_RUN} & tags.keys()
        ]

    def finish(self, image: Image, bake_key: str) -> None:
        """Mark an image of ours as the finished one of a bake key, and its snapshots."""
        tags = {TAG_MANAGED_BY: "packer", TAG_BAKE_KEY: bake_key}
        with self._session.asking(f"tag {image.id} with {TAG_BAKE_KEY}"):
            self._ec2.create_tags(
                Resources=[image.id, *image.snapshots],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )

    def tag(self, image_id: str, key: str, value: str) -> None:
        """Tag an image."""
        with self._session.asking(f"tag {image_id} with {key}"):
            self._ec2.create_tags(Resources=[image_id], Tags=[{"Key": key, "Value": value}])

    def untag(self, image_id: str, key: str) -> None:
        """Remove a tag of an image, whatever its value."""
        with self._session.asking(f"remove the tag {key} from {image_id}"):
            self._ec2.delete_tags(Resources=[image_id], Tags=[{"Key": key}])

    def deregister(self, image_id: str) -> str | None:
        """Remove an image; its snapshots stay. One that is gone already is removed.

        Returns:
            Why EC2 refuses this image, or None.
        """
        gone = ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable")
        with self._session.asking(f"deregister {image_id}"):
            return _refusal(lambda: self._ec2.deregister_image(ImageId=image_id), gone=gone)

    def delete_snapshot(self, snapshot_id: str) -> str | None:
        """Remove a snapshot; one that is gone already is removed.

        Returns:
            Why EC2 refuses this snapshot, or None.
        """
        gone = ("InvalidSnapshot.NotFound",)
        with self._session.asking(f"delete {snapshot_id}"):
            return _refusal(lambda: self._ec2.delete_snapshot(SnapshotId=snapshot_id), gone=gone)

    @property
    def _ec2(self) -> Any:
        return self._session.client("ec2")

    def _list(self, purpose: str, fits: Mapping[str, str], owners: Sequence[str] = ("self",)) -> list[Image]:
        filters = [{"Name": key, "Values": [value]} for key, value in fits.items()]
        with self._session.asking(purpose):
            answer = self._ec2.describe_images(Owners=list(owners), Filters=filters)
        return [_image(found, allowed_owner=True) for found in answer["Images"]]

    def _of_any(self, purpose: str, name: str, values: Sequence[str]) -> list[Image]:
        """Our images that one of a filter's values fits, disabled ones too."""
        found: list[Any] = []
        with self._session.asking(purpose):
            for start in range(0, len(values), FILTER_VALUES):
                fits = {"Name": name, "Values": list(values[start : start + FILTER_VALUES])}
                found += self._session.pages(
                    "ec2", "describe_images", "Images", Owners=["self"], Filters=[fits], IncludeDisabled=True
                )
        return [_image(image, allowed_owner=True) for image in found]

    def _described(self, image_id: str, **arguments: Any) -> Mapping[str, Any] | None:
        from botocore.exceptions import ClientError

        with self._session.asking(f"look up the image {image_id}"):
            try:
                answer = self._ec2.describe_images(ImageIds=[image_id], IncludeDisabled=True, **arguments)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT:
                    raise
                return None
        return next(iter(answer["Images"]), None)


def tags_of(tags: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """EC2's list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags or ()}


def _refusal(call: Callable[[], object], *, gone: Sequence[str]) -> str | None:
    """Make a call about one thing; what EC2 says if it refuses just that."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] in gone:
            return None
        if causes.of_all(error):
            raise
        return causes.said(error)
    return None


def _image(found: Mapping[str, Any], *, allowed_owner: bool) -> Image:
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
