"""The channels: their pointers, which are parameters of SSM, and the tags that follow them. Decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import record
from pipeline.aws.clients import Service
from pipeline.aws.images import tags_of
from pipeline.errors import PipelineError
from pipeline.model import (
    POINTER_ROOT,
    TAG_CHANNEL,
    TAG_ROLE,
    Held,
    PointerVersion,
    held_tag,
    pointer_name,
    pointer_source,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Channels(Service):
    """The channels of all roles of one account and region."""

    def image_id(self, role: str, channel: str) -> str | None:
        """The id of the image that a channel holds, or None if it holds none."""
        name = pointer_name(role, channel)
        with self._session.asking(f"read the pointer {name}"):
            ssm = self._session.client("ssm")
            try:
                value: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
            except ssm.exceptions.ParameterNotFound:
                return None
        return value

    def history(self, role: str, channel: str) -> list[PointerVersion]:
        """What a channel has held, newest first; empty if it never held anything.

        SSM keeps the last 100 versions of a parameter.
        """
        return self.history_of(pointer_name(role, channel))

    def history_of(self, name: str) -> list[PointerVersion]:
        """The same by the parameter's name."""
        with self._session.asking(f"read the history of {name}"):
            return parameter_history(self._session.client("ssm"), name)

    def pointers(self) -> dict[str, str]:
        """What every channel of every role holds: the parameter's name to image id."""
        with self._session.asking("read the pointers of all channels"):
            found = self._session.pages(
                "ssm", "get_parameters_by_path", "Parameters", Path=POINTER_ROOT, Recursive=True
            )
        return {parameter["Name"]: parameter["Value"] for parameter in found}

    def held(self, role: str) -> list[Held]:
        """What the channels of a role hold."""
        root = f"{POINTER_ROOT}/{role}/"
        begins = {"Key": "Name", "Option": "BeginsWith", "Values": [root]}
        with self._session.asking(f"read the pointers of role {role}"):
            values = self._session.pages("ssm", "get_parameters_by_path", "Parameters", Path=root)
            described = self._session.pages(
                "ssm", "describe_parameters", "Parameters", ParameterFilters=[begins]
            )
        texts = {found["Name"]: found.get("Description", "") for found in described}
        return [
            Held(
                channel=found["Name"].removeprefix(root),
                image_id=found["Value"],
                since=found["LastModifiedDate"],
                source=pointer_source(texts.get(found["Name"], "")),
            )
            for found in values
        ]

    def write(self, role: str, channel: str, image_id: str, description: str) -> None:
        """Let a channel's pointer hold an image. SSM checks and writes it after it has answered."""
        name = pointer_name(role, channel)
        with self._session.asking(f"write {image_id} to {name}"):
            self._session.client("ssm").put_parameter(
                Name=name, Value=image_id, Description=description, Overwrite=True, DataType="aws:ec2:image"
            )

    def attach(self, name: str, version: int, label: str) -> None:
        """Attach a label to a version of a pointer; it leaves the one that has it. SSM refuses some names."""
        with self._session.asking(f"label version {version} of {name}"):
            answer = self._session.client("ssm").label_parameter_version(
                Name=name, ParameterVersion=version, Labels=[label]
            )
        if answer.get("InvalidLabels"):
            raise PipelineError(
                f"SSM does not take the label {label} for {name}",
                allowed="letters, digits and _ . - in the stack's name",
                change="rename the stack: `pulumi stack rename`",
            )

    def detach(self, name: str, version: int, labels: Sequence[str]) -> None:
        """Take labels from a version of a pointer."""
        with self._session.asking(f"take labels from version {version} of {name}"):
            self._session.client("ssm").unlabel_parameter_version(
                Name=name, ParameterVersion=version, Labels=list(labels)
            )

    def tagged(self, role: str) -> dict[str, str]:
        """Our images of a role that have a channel's tag, and which."""
        filters = [
            {"Name": f"tag:{TAG_ROLE}", "Values": [role]},
            {"Name": "tag-key", "Values": [TAG_CHANNEL]},
        ]
        with self._session.asking(f"look up the images of role {role} in channels"):
            found = self._session.pages("ec2", "describe_images", "Images", Owners=["self"], Filters=filters)
        return {image["ImageId"]: tags_of(image["Tags"])[TAG_CHANNEL] for image in found}

    def tag(self, image_id: str, channel: str) -> None:
        """Give an image a channel's tag."""
        with self._session.asking(f"add {image_id} to channel {channel}"):
            self._session.client("ec2").create_tags(Resources=[image_id], Tags=_tag(channel))

    def untag(self, image_id: str, channel: str) -> None:
        """Take a channel's tag from an image, if it still has that value."""
        with self._session.asking(f"remove {image_id} from channel {channel}"):
            self._session.client("ec2").delete_tags(Resources=[image_id], Tags=_tag(channel))

    def note_held(self, channel: str, versions: Iterable[PointerVersion]) -> list[str]:
        """Tag the images that a channel has held and that have no such tag yet. A read, and a call for each new image.

        Args:
            channel: The channel.
            versions: The pointer's versions, in any order.

        Returns:
            Ids of the images that were tagged. Images of other accounts, and those that are gone, are left out.
        """
        first, key = record.first_times(versions), held_tag(channel)
        if not first:
            return []
        # A filter forgives ids of images that are gone. A pointer has no more than a hundred.
        fits = [{"Name": "image-id", "Values": sorted(first)}]
        with self._session.asking(f"note what channel {channel} has held"):
            ec2 = self._session.client("ec2")
            answer = ec2.describe_images(Owners=["self"], Filters=fits, IncludeDisabled=True)
            new = [image["ImageId"] for image in answer["Images"] if key not in tags_of(image.get("Tags"))]
            for image_id in new:
                tag = {"Key": key, "Value": record.written(first[image_id])}
                ec2.create_tags(Resources=[image_id], Tags=[tag])
        return new


def _tag(channel: str) -> list[dict[str, str]]:
    return [{"Key": TAG_CHANNEL, "Value": channel}]


def parameter_history(ssm: Any, name: str) -> list[PointerVersion]:
    """What a parameter of SSM has held, newest first; empty if it does not exist. SSM keeps the last 100 versions."""
    try:
        pages = list(ssm.get_paginator("get_parameter_history").paginate(Name=name))
    except ssm.exceptions.ParameterNotFound:
        return []
    versions = [
        PointerVersion(
            version=entry["Version"],
            image_id=entry["Value"],
            when=entry["LastModifiedDate"],
            by=entry.get("LastModifiedUser", ""),
            description=entry.get("Description", ""),
            labels=tuple(entry.get("Labels", ())),
        )
        for page in pages
        for entry in page["Parameters"]
    ]
    return sorted(versions, key=lambda entry: entry.version, reverse=True)
