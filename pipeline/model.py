"""The words of the model: images, channels and their record, as plain values.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

TAG_ROLE = "Role"
TAG_CHANNEL = "ImageChannel"
TAG_VALIDATED = "Validated"
TAG_REVOKED = "Revoked"
TAG_REJECTED = "Rejected"
"""``CHANNEL WHEN REASON`` on an image whose roll-out failed in that channel's group."""
TAG_BAKE_KEY = "BakeKey"
"""The bake key, on a finished image and nothing else: written last."""
TAG_BAKE_RUN = "BakeRun"
"""The bake key, on all that a bake makes on its way: builder, volumes, key pair, security group, image, snapshots."""
TAG_BAKE_ID = "BakeId"
"""Names one run of a bake, on the same."""
TAG_GIT_COMMIT = "GitCommit"
TAG_SOURCE_IMAGE = "SourceImage"
TAG_MANAGED_BY = "ManagedBy"
TAG_KEEP = "Keep"
TAG_VALUE_LIMIT = 256
"""EC2: characters in a tag's value."""
TAG_PURPOSE = "Purpose"
VALIDATION = "validation"
"""What machines, keys and groups of a validation are for; of TAG_PURPOSE."""

POINTER_ROOT = "/golden-image"
REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]"
"""Regular expression of an AWS region's name."""


def held_tag(channel: str) -> str:
    """The tag of an image that a channel has held: its value is when that was first, ISO 8601 in UTC."""
    return f"Held-{channel}"


def deployed_tag(channel: str) -> str:
    """The tag of an image that a channel's group runs, or has run: ``WHEN REFRESH``, of the last roll-out."""
    return f"Deployed-{channel}"


def group_name(role: str, channel: str) -> str:
    """The name of a channel's Auto Scaling group, such as ``web-prod``."""
    return f"{role}-{channel}"


def pointer_name(role: str, channel: str) -> str:
    """The SSM parameter that is a channel's authority, such as ``/golden-image/web/prod``."""
    return f"{POINTER_ROOT}/{role}/{channel}"


def pointer_description(role: str, channel: str, source: str | None) -> str:
    """The parameter's description, but for the promotion's word; `pointer_source` reads the source back."""
    return f"The image that channel {channel} of role {role} holds, taken from {source or 'a pin'}"


def returned_description(
    role: str, channel: str, source: str | None, *, failed: str, to: str, word: str
) -> str:
    """The description of a version by which a channel went back from an image whose roll-out failed."""
    plain = pointer_description(role, channel, source)
    start, end = plain.split(", taken from ", 1)
    return with_word(f"{start}, returned from {failed} to {to}, taken from {end}", word)


def returned_from(description: str) -> tuple[str, str] | None:
    """The image whose roll-out failed and the one that the channel went back to, if a description says so."""
    found = re.search(r", returned from (ami-[0-9a-f]+) to (ami-[0-9a-f]+), taken from ", description)
    return (found[1], found[2]) if found else None


def with_word(description: str, word: str) -> str:
    """A parameter's description with the word of the promotion that writes it; `plain_description` takes it away."""
    return f"{description} ({word})"


def plain_description(description: str) -> str:
    """A parameter's description without the word of the promotion that wrote it."""
    return re.sub(r" \([0-9a-f]{8}\)$", "", description)


def pointer_source(description: str) -> str | None:
    """Where a pointer's stack takes images from; None if it says so by pin alone, or is not ours."""
    text = plain_description(description)
    source = text.rpartition(", taken from ")[2] if ", taken from " in text else ""
    return source if source and " " not in source else None


@dataclass(frozen=True, kw_only=True)
class Image:
    """A machine image as EC2 describes it.

    Attributes:
        id: Such as ``ami-0123456789abcdef0``.
        name: Its name, unique per account and region.
        owner: The 12-digit account that owns it.
        allowed_owner: Whether that is one of the owners that were asked for.
        state: EC2's word: ``pending``, ``available``, ``invalid``, ``failed``, ``disabled`` ….
        architecture: Such as ``x86_64``.
        created: EC2's creation date, ISO 8601 in UTC.
        tags: Its tags.
        snapshots: IDs of its snapshots.
        protected: Whether EC2 refuses to deregister it: deregistration protection is on, or was until lately.
        root_device: Name of its root device, such as ``/dev/xvda``; empty if EC2 does not name one.
    """

    id: str
    name: str
    owner: str
    allowed_owner: bool
    state: str
    architecture: str
    created: str
    tags: Mapping[str, str] = field(default_factory=dict)
    snapshots: tuple[str, ...] = ()
    protected: bool = False
    root_device: str = ""

    @property
    def role(self) -> str | None:
        """What its machines are for, or None for an image that does not say."""
        return self.tags.get(TAG_ROLE)

    @property
    def validated(self) -> str | None:
        """The evidence of its last passed validation, or None."""
        return self.tags.get(TAG_VALIDATED) or None

    @property
    def revoked(self) -> str | None:
        """Why it must not be used, or None."""
        return self.tags.get(TAG_REVOKED)

    @property
    def rejected(self) -> str | None:
        """In which channel its roll-out failed, when and why, or None."""
        return self.tags.get(TAG_REJECTED)

    @property
    def rejected_in(self) -> str | None:
        """The channel of that; empty where the tag names none."""
        return None if self.rejected is None else self.rejected.partition(" ")[0]


@dataclass(frozen=True, kw_only=True)
class PointerVersion:
    """One entry of a channel's record.

    Attributes:
        version: SSM's version number, from 1.
        image_id: The image that the channel held from then on.
        when: When it was written, in UTC.
        by: The ARN of the identity that wrote it.
        description: The parameter's description in that version.
        labels: The labels that are attached to that version.
    """

    version: int
    image_id: str
    when: datetime
    by: str
    description: str = ""
    labels: tuple[str, ...] = ()

    def has_word(self, word: str) -> bool:
        """Whether the promotion of that word wrote it, by its description."""
        return self.description.endswith(with_word("", word))


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a channel holds now.

    Attributes:
        channel: Its name.
        image_id: The image.
        since: When its pointer was written last, in UTC.
        source: Where its stack takes images from: a channel, ``bake``, or None where the pointer does not say.
    """

    channel: str
    image_id: str
    since: datetime
    source: str | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A snapshot that a bake made.

    Attributes:
        id: Such as ``snap-0123456789abcdef0``.
        started: When it was taken, in UTC.
        finished: Whether its bake came to its end.
    """

    id: str
    started: datetime
    finished: bool = True


@dataclass(frozen=True, kw_only=True)
class Builder:
    """A machine on which a bake builds its image.

    Attributes:
        id: Such as ``i-0123456789abcdef0``.
        state: EC2's word, such as ``running``.
        since: When it was launched, in UTC.
        bake_key: What is baked on it.
    """

    id: str
    state: str
    since: datetime
    bake_key: str


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet as EC2 describes it.

    Attributes:
        id: Such as ``subnet-0123456789abcdef0``.
        vpc_id: The VPC it belongs to.
        cidr: Its IPv4 range.
        public_by_default: Whether a machine launched there gets a public address without asking.
    """

    id: str
    vpc_id: str
    cidr: str
    public_by_default: bool
