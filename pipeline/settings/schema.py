"""Stack config, parsed once into frozen dataclasses."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.settings import provider
from pipeline.settings.fields import (
    IMAGE_ID,
    INSTANCE_PROFILE,
    INSTANCE_TYPE,
    NAME,
    OWNER,
    SCRIPT,
    SECURITY_GROUP_ID,
    SUBNET_ID,
    USER,
    Section,
)
from pipeline.settings.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = "golden-image"
"""The project's name, which is the namespace of its config."""

FROM_BAKE = "bake"
"""The value of ``from`` that means: bake an image here."""

_TOP_KEYS = (
    "role",
    "channel",
    "from",
    "image",
    "architecture",
    "allowedOwners",
    "bake",
    "validation",
    "fleet",
)
_OBJECT_KEYS = ("allowedOwners", "bake", "validation", "fleet")
_BAKE_KEYS = ("serial", "rebakeOnNewSource", "timeoutMinutes", "variables")
_VALIDATION_KEYS = (
    "instanceType",
    "subnetId",
    "sshUser",
    "clones",
    "allowedCidr",
    "address",
    "timeoutSeconds",
    "keepMinutes",
    "encryptRoot",
    "associatePublicIp",
    "smokeTest",
    "allowedSkips",
    "healthWaitSeconds",
    "soakSeconds",
    "reboot",
)
_FAMILY = {"x86_64": "t3", "arm64": "t4g"}
"""Architecture to the family of default instance types."""
_FLEET_KEYS = ("instanceType", "securityGroupIds", "instanceProfile")


@dataclass(frozen=True, kw_only=True)
class BakeSettings:
    """``golden-image:bake``: what goes into an image besides the files under packer/.

    Attributes:
        serial: A person raises it to force a bake of unchanged content.
        rebake_on_new_source: Whether a newer source image alone calls for a bake.
        timeout_minutes: How long a bake may take before it is stopped and cleaned up.
        variables: Values for variables of the Packer template, by the template's names.
    """

    serial: int
    rebake_on_new_source: bool
    timeout_minutes: int
    variables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ValidationSettings:
    """``golden-image:validation``: the machines that an image must prove itself on.

    Attributes:
        instance_type: Size of a validation machine.
        subnet_id: Where they boot; None means a default subnet of the account.
        ssh_user: The user that the image gives the instance's key to.
        clones: How many machines boot from the image.
        allowed_cidr: From where they can be reached; None means the caller's own address.
        address: ``public`` or ``private``: the address that they are checked at.
        timeout_seconds: One deadline for everything from boot to verdict.
        keep_minutes: After that long a machine stops itself, at each boot.
        encrypt_root: Whether their root volume is encrypted with the account's default key.
        public_ip: Whether they ask for a public address; None leaves it to the subnet.
        smoke_test: A command of the team's own that must succeed, or None; it finds the machines' addresses in
            GOLDEN_IMAGE_ADDRESSES.
        allowed_skips: Name of a check (``test_web.py::test_health``) to the reason why it may skip.
        health_wait_seconds: How long after a boot an application may take until GET /health answers with status 200.
        soak_seconds: How long machines that passed have to stay well before a second look; 0: there is none.
        reboot: Whether they have to pass once more after a reboot.
    """

    instance_type: str
    subnet_id: str | None
    ssh_user: str
    clones: int
    allowed_cidr: str | None
    address: str
    timeout_seconds: int
    keep_minutes: int
    encrypt_root: bool
    public_ip: bool | None
    smoke_test: str | None
    allowed_skips: Mapping[str, str] = field(default_factory=dict)
    health_wait_seconds: int = 300
    soak_seconds: int = 30
    reboot: bool = True


@dataclass(frozen=True, kw_only=True)
class FleetSettings:
    """``golden-image:fleet``: what the launch template says besides the image.

    Attributes:
        instance_type: Size of the fleet's machines.
        security_group_ids: Their security groups; none means the VPC's default one.
        instance_profile: Name of their instance profile, or None.
    """

    instance_type: str
    security_group_ids: tuple[str, ...]
    instance_profile: str | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a stack's config says.

    Attributes:
        stack: The stack's name.
        stack_file: The file that a person changes, for the errors.
        region: AWS region of every resource and call.
        profile: AWS profile, or None for the environment's credentials.
        role: What the machines are for, such as ``web``.
        channel: The channel that this stack promotes into.
        source: ``bake``, the name of the channel to take from, or None where only a pin is given.
        pin: An image id that overrides `source`, or None.
        architecture: ``x86_64`` or ``arm64``.
        allowed_owners: Whose images may be promoted, in the words of EC2's DescribeImages: ``self`` alone.
        bake: What is baked.
        validation: How an image proves itself.
        fleet: What the promoted image is launched as.
    """

    stack: str
    stack_file: str
    region: str
    profile: str | None
    role: str
    channel: str
    source: str | None
    pin: str | None
    architecture: str
    allowed_owners: tuple[str, ...]
    bake: BakeSettings
    validation: ValidationSettings
    fleet: FleetSettings

    @property
    def bakes(self) -> bool:
        """Whether this stack makes its image itself."""
        return self.pin is None and self.source == FROM_BAKE

    @property
    def request(self) -> Request:
        """Which existing image this stack asks for, where it bakes none."""
        return Request(
            stack=self.stack,
            stack_file=self.stack_file,
            role=self.role,
            architecture=self.architecture,
            owners=self.allowed_owners,
            pin=self.pin,
            source_channel=None if self.source == FROM_BAKE else self.source,
            upstream=None if self.source == FROM_BAKE else self.source,
        )

    @property
    def environment(self) -> dict[str, str]:
        """How a step of the pipeline reaches AWS, as environment variables."""
        profile = {"AWS_PROFILE": self.profile} if self.profile else {}
        return {"AWS_REGION": self.region} | profile


def parse(config: Mapping[str, str], *, stack: str) -> Settings:
    """Turn a stack's config into settings.

    Args:
        config: Full key (``golden-image:role``) to value; lists and mappings as JSON text, as the engine
            hands them over.
        stack: The stack's name.

    Raises:
        PipelineError: A key is unknown, missing or has a value that is not allowed; or keys contradict
            each other.
    """
    stack_file = f"Pulumi.{stack}.yaml"
    top = Section(_decoded(config, stack_file), known=_TOP_KEYS, path=f"{PROJECT}:", stack_file=stack_file)
    region, profile = provider.region_and_profile(config, stack_file)
    architecture = top.choice("architecture", "x86_64", among=tuple(_FAMILY))
    family = _FAMILY[architecture]
    return Settings(
        stack=stack,
        stack_file=stack_file,
        region=region,
        profile=profile,
        role=top.text("role", "web", rule=NAME),
        channel=_channel(top),
        source=_source(top),
        pin=top.optional_text("image", rule=IMAGE_ID),
        architecture=architecture,
        allowed_owners=_owners(top),
        bake=_bake(top.section("bake", known=_BAKE_KEYS)),
        validation=_validation(top.section("validation", known=_VALIDATION_KEYS), family),
        fleet=_fleet(top.section("fleet", known=_FLEET_KEYS), family),
    )


def _decoded(config: Mapping[str, str], stack_file: str) -> dict[str, Any]:
    """This project's keys without their namespace, structured values decoded."""
    prefix = f"{PROJECT}:"
    values: dict[str, Any] = {}
    for full_key, text in config.items():
        if not full_key.startswith(prefix):
            continue
        key = full_key.removeprefix(prefix)
        if key not in _OBJECT_KEYS:
            values[key] = text
            continue
        try:
            values[key] = json.loads(text) if text else None
        except (ValueError, RecursionError):
            raise PipelineError(
                f"{full_key} is not valid",
                seen=visible.quoted(text),
                allowed="a list" if key == "allowedOwners" else "a mapping of keys to values",
                change=f"{full_key} in {stack_file}",
            ) from None
    return values


def _owners(top: Section) -> tuple[str, ...]:
    owners = top.texts("allowedOwners", ("self",), rule=OWNER)
    if owners != ("self",):
        raise top.error(
            "allowedOwners",
            "golden-image:allowedOwners names another account, whose image could never be promoted: EC2 shows an "
            "image's tags to its owner alone, and the role and the validation are tags",
            allowed="self, which is the default; to use another account's image, bake from it "
            "(source_image_owners and source_image_name in golden-image:bake.variables)",
        )
    return owners


def _channel(top: Section) -> str:
    channel = top.text("channel", rule=NAME)
    if channel == FROM_BAKE:
        allowed = f"any name but {FROM_BAKE}, which golden-image:from uses for a bake"
        raise top.error("channel", "golden-image:channel is not valid", allowed=allowed)
    return channel


def _source(top: Section) -> str | None:
    source = top.optional_text("from", rule=NAME)
    if source is None and not top.has("image"):
        allowed = (
            f"{FROM_BAKE}, or the name of the channel to take from, such as candidate; or pin an image with "
            "golden-image:image"
        )
        raise top.error("from", "the stack does not say where its image comes from", allowed=allowed)
    if source is not None and source == top.text("channel"):
        allowed = f"{FROM_BAKE}, or another channel than the one this stack promotes into"
        raise top.error(
            "from", "the stack takes its image from the channel it promotes into", allowed=allowed
        )
    return source


def _bake(section: Section) -> BakeSettings:
    return BakeSettings(
        serial=section.integer("serial", 1, minimum=1, maximum=1_000_000),
        rebake_on_new_source=section.flag("rebakeOnNewSource", default=False),
        timeout_minutes=section.integer("timeoutMinutes", 60, minimum=5, maximum=720),
        variables=section.mapping("variables"),
    )


def _validation(section: Section, family: str) -> ValidationSettings:
    timeout, soak = (
        section.integer("timeoutSeconds", 600, minimum=10, maximum=7200),
        section.integer("soakSeconds", 30, minimum=0, maximum=3600),
    )
    if soak >= timeout:
        raise section.error(
            "soakSeconds",
            f"{section.name('soakSeconds')} leaves no time for anything else before the deadline",
            allowed=f"less than {section.name('timeoutSeconds')}, which is {timeout}; 0 leaves the second look out",
        )
    return ValidationSettings(
        instance_type=section.text("instanceType", f"{family}.micro", rule=INSTANCE_TYPE),
        subnet_id=section.optional_text("subnetId", rule=SUBNET_ID),
        ssh_user=section.text("sshUser", "ec2-user", rule=USER),
        clones=section.integer("clones", 2, minimum=1, maximum=10),
        allowed_cidr=section.optional_cidr("allowedCidr"),
        address=section.choice("address", "public", among=("public", "private")),
        timeout_seconds=timeout,
        keep_minutes=section.integer("keepMinutes", 60, minimum=1, maximum=1440),
        encrypt_root=section.flag("encryptRoot", default=True),
        public_ip=section.flag("associatePublicIp", default=False)
        if section.has("associatePublicIp")
        else None,
        smoke_test=section.optional_text("smokeTest", rule=SCRIPT),
        allowed_skips=_allowed_skips(section),
        health_wait_seconds=section.integer("healthWaitSeconds", 300, minimum=0, maximum=7200),
        soak_seconds=soak,
        reboot=section.flag("reboot", default=True),
    )


def _allowed_skips(section: Section) -> dict[str, str]:
    values = section.mapping("allowedSkips")
    if not all(
        isinstance(reason, str) and reason.strip() and "::" in name for name, reason in values.items()
    ):
        allowed = (
            "a mapping of a check's name, such as test_web.py::test_health, to the reason why it may skip"
        )
        raise section.error("allowedSkips", f"{section.name('allowedSkips')} is not valid", allowed=allowed)
    return values


def _fleet(section: Section, family: str) -> FleetSettings:
    return FleetSettings(
        instance_type=section.text("instanceType", f"{family}.medium", rule=INSTANCE_TYPE),
        security_group_ids=section.texts("securityGroupIds", (), rule=SECURITY_GROUP_ID),
        instance_profile=section.optional_text("instanceProfile", rule=INSTANCE_PROFILE),
    )
