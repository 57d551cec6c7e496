"""Every key of stack config, once: its name, type, range, default and what it is for.

From here come the program's settings, docs/configuration.md and the JSON schema that an editor completes from.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.settings.group import GroupKeys
from pipeline.settings.keys import Keys
from pipeline.settings.kinds import (
    CHECK,
    DURATION,
    FLAG,
    IMAGE_ID,
    INSTANCE_PROFILE,
    INSTANCE_TYPE,
    NAME,
    OWNER,
    REASON,
    SCRIPT,
    SECURITY_GROUP_ID,
    SUBNET_ID,
    USER,
    Kind,
    Network,
    OneOf,
    Whole,
    list_of,
)

PROJECT = "golden-image"
"""The project's name, which is the namespace of its config."""

FROM_BAKE = "bake"
"""The value of ``from`` that means: bake an image here."""

FAMILY = {"x86_64": "t3", "arm64": "t4g"}
"""Architecture to the family of default instance types."""

Flag = Annotated[bool, FLAG]


class Bake(Keys):
    """What goes into an image besides the files under packer/."""

    serial: Annotated[int, Whole(1, 1_000_000)] = 1
    """Raise it to bake unchanged content again."""

    rebake_on_new_source: Flag = False
    """Whether a newer source image alone calls for a bake."""

    timeout_minutes: Annotated[int, Whole(5, 720)] = 60
    """Minutes that a bake may take; then it is stopped, and what it made is removed."""

    variables: dict[str, Any] = Field(default_factory=dict)
    """Values for variables of the Packer template, by the names in packer/variables.pkr.hcl and
    packer/access.pkr.hcl."""


class Validation(Keys):
    """The machines that an image must prove itself on."""

    instance_type: Annotated[str, INSTANCE_TYPE] | None = None
    """Size of a validation machine. Default: t3.micro, or t4g.micro for arm64."""

    subnet_id: Annotated[str, SUBNET_ID] | None = None
    """Where they boot. Default: a default subnet of the account."""

    ssh_user: Annotated[str, USER] = "ec2-user"
    """The user that the image gives the instance's key to."""

    clones: Annotated[int, Whole(1, 10)] = 2
    """How many machines boot from the image. 1 compares nothing, and proves nothing about their identities."""

    allowed_cidr: Annotated[str, Network()] | None = None
    """From where they can be reached. Default: the address that the caller is seen under."""

    address: Annotated[str, OneOf("public", "private")] = "public"
    """Which of their addresses they are checked at."""

    timeout_seconds: Annotated[int, Whole(10, 7200)] = 600
    """One deadline in seconds for everything from boot to verdict."""

    keep_minutes: Annotated[int, Whole(1, 1440)] = 60
    """Minutes after which a machine stops itself, counted from each boot."""

    encrypt_root: Flag = True
    """Whether their root volume is encrypted with the account's default key."""

    public_ip: Flag | None = Field(default=None, alias="associatePublicIp")
    """Whether they ask for a public address. Default: as the subnet has it."""

    smoke_test: Annotated[str, SCRIPT] | None = None
    """A command of the team's own that must succeed; GOLDEN_IMAGE_ADDRESSES has the machines' addresses."""

    allowed_skips: Annotated[
        dict[Annotated[str, CHECK], Annotated[str, REASON]],
        Kind("a mapping of a check's name, such as test_web.py::test_health, to the reason why it may skip"),
    ] = Field(default_factory=dict)
    """Name of a check to the reason why it may skip, or why a finding of accounts:: or identity::file:: is accepted."""

    health_wait_seconds: Annotated[int, Whole(0, 7200)] = 300
    """Seconds after a boot that an application may take until GET /health answers with status 200."""

    soak_seconds: Annotated[int, Whole(0, 3600)] = 30
    """Seconds that machines which passed have to stay well before a second look; 0: no second look."""

    reboot: Flag = True
    """Whether they have to pass once more after a reboot."""


class Fleet(Keys):
    """What the launch template has besides the image."""

    instance_type: Annotated[str, INSTANCE_TYPE] | None = None
    """Size of the fleet's machines. Default: t3.medium, or t4g.medium for arm64."""

    security_group_ids: Annotated[
        tuple[Annotated[str, SECURITY_GROUP_ID], ...], Field(strict=False), list_of(SECURITY_GROUP_ID)
    ] = ()
    """Their security groups. Default: the VPC's default one."""

    instance_profile: Annotated[str, INSTANCE_PROFILE] | None = None
    """Name of their instance profile. Default: none."""

    user_data: Annotated[str, SCRIPT] | None = None
    """What each machine runs at its first boot, such as a script that begins with #!. Default: nothing."""

    group: GroupKeys | None = None
    """An Auto Scaling group of these machines, which each promotion rolls out to. Default: none."""


class Config(Keys):
    """All keys of the project."""

    role: Annotated[str, NAME]
    """What the machines are for: a folder of packer/roles/, and the tag Role."""

    channel: Annotated[str, NAME]
    """The channel that this stack promotes into."""

    source: Annotated[str, NAME] | None = Field(default=None, alias="from")
    """bake, or the name of the channel to take an image from."""

    pin: Annotated[str, IMAGE_ID] | None = Field(default=None, alias="image")
    """An image id that overrides from: `python -m pipeline rollback` writes it."""

    architecture: Annotated[str, OneOf(*FAMILY)] = "x86_64"
    """What the image runs on."""

    allowed_owners: Annotated[tuple[Annotated[str, OWNER], ...], Field(strict=False), list_of(OWNER)] = (
        "self",
    )
    """Whose images may be promoted, in the words of EC2's DescribeImages: self alone."""

    soak: Annotated[str, DURATION] | None = None
    """How long an image must have been in the channel that it is taken from, such as 24h. Default: no time."""

    bake: Bake = Field(default_factory=Bake)
    """What goes into an image besides the files under packer/."""

    validation: Validation = Field(default_factory=Validation)
    """The machines that an image must prove itself on."""

    fleet: Fleet = Field(default_factory=Fleet)
    """What the launch template has besides the image."""


OBJECT_KEYS = ("allowedOwners", "bake", "validation", "fleet")
"""Keys that hold a list or a mapping: the engine hands them over as JSON."""
