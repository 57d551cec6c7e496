"""The plan of each step, which the components write and the step reads, as JSON on standard input.

A byte more in a plan runs that step of every stack once more at the next update. A stack that is destroyed runs
``leave`` with the plan that its state holds, which an earlier version of this project may have written: a field that
is new has a default, and keys that are not known are passed over.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from types import UnionType
from typing import Any, ClassVar, Self, get_args, get_origin

from pipeline.errors import PipelineError

IF_GIVEN = {"if given": True}
"""Metadata of a field that is written only if it is not empty."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan; each field is a key in camel case."""

    step: ClassVar[str]
    """The step's name, of `python -m pipeline`."""

    made_in: ClassVar[str]
    """The file of the component that writes it."""

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The plan that a step has read.

        Raises:
            PipelineError: A key is missing, or its value is of another type.
        """
        given = {}
        for one in fields(cls):
            key = _key(one.name)
            if key in found and _fits(found[key], one.type):
                given[one.name] = found[key]
            elif key in found or (one.default is MISSING and one.default_factory is MISSING):
                raise PipelineError(
                    f"the plan on standard input lacks {key!r}",
                    # Never the value: it may be a private key.
                    seen=type(found[key]).__name__ if key in found else None,
                    allowed=getattr(one.type, "__name__", str(one.type)),
                    change=f"`bin/step {cls.step}` is started by the program; see components/{cls.made_in}",
                )
        return cls(**given)

    def to_json(self) -> str:
        """The text that the step reads."""
        values = {
            _key(one.name): getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) or "if given" not in one.metadata
        }
        return json.dumps(values, sort_keys=True)


def _key(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _fits(value: Any, kind: Any) -> bool:
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return isinstance(value, tuple(get_origin(one) or one for one in kinds))


@dataclass(frozen=True, kw_only=True)
class Bake(Plan):
    """Bake an image, or adopt the one that is there.

    Attributes:
        bake_key: Of all that goes into it.
        region: Where.
        variables: The template's variables that shape the image.
        access: Those that only say how Packer reaches AWS.
        timeout_minutes: How long it may take.
        files: Relative name to digest of each file that goes into it; a preview shows which of them changed.
        serial: Bumped by a person to force a bake.
        source_image: The resolved source image, where a newer one calls for a new bake; else None.
    """

    step = "bake"
    made_in = "image_build.py"
    bake_key: str
    region: str
    variables: dict[str, Any]
    access: dict[str, Any]
    timeout_minutes: int
    files: dict[str, str] = field(default_factory=dict)
    serial: int = 0
    source_image: str | None = None


@dataclass(frozen=True, kw_only=True)
class Keygen(Plan):
    """Make the key pair for one image's validation.

    Attributes:
        image_id: The image; it becomes the key's comment.
    """

    step = "keygen"
    made_in = "validation_machines.py"
    image_id: str


@dataclass(frozen=True, kw_only=True)
class Validate(Plan):
    """Check the machines that were booted from an image.

    Attributes:
        region: AWS region.
        role: What the image is made for.
        user: The user that the image gives the key to.
        address: ``public`` or ``private``: the address that the machines are checked at.
        suite: Digest of the checks.
        timeout_seconds: One deadline from the first look to the verdict.
        health_wait_seconds: How long after a boot an application may take until GET /health is well.
        soak_seconds: How long machines that passed have to stay well before a second look; 0: no second look.
        reboot: Whether they have to pass once more after a reboot.
        image_id: The image.
        instance_ids: The machines, by id and not by address: addresses change whenever a machine is stopped.
        private_key: What they let in, PEM.
        smoke_test: A command of the team's own that must succeed, or None.
        allowed_skips: Name of a check to the reason why it may skip.
        health_port: Where GET /health has to answer, or None.
    """

    step = "validate"
    made_in = "image_validation.py"
    region: str
    role: str
    user: str
    address: str
    suite: str
    timeout_seconds: int
    health_wait_seconds: int
    soak_seconds: int
    reboot: bool
    image_id: str
    instance_ids: list[str]
    private_key: str = field(repr=False)
    smoke_test: str | None = None
    allowed_skips: dict[str, str] = field(default_factory=dict, metadata=IF_GIVEN)
    health_port: int | None = field(default=None, metadata=IF_GIVEN)


@dataclass(frozen=True, kw_only=True)
class Promotion(Plan):
    """What the plans of all steps of a promotion have.

    Attributes:
        region: AWS region.
        role: What the image is made for.
        channel: The channel that it is promoted into.
        image_id: The image.
        stack: The stack's name; empty in plans of versions of this project that left no labels.
    """

    made_in = "image_promotion.py"
    region: str
    role: str
    channel: str
    image_id: str
    stack: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim(Promotion):
    """Make sure that a channel is where its stack left it.

    Attributes:
        label: The word of the label that the step `held` is to leave.
    """

    step = "claim"
    label: str


@dataclass(frozen=True, kw_only=True)
class Held(Promotion):
    """Wait until a channel's pointer holds the image.

    Attributes:
        claim: What the step `claim` returned.
        pointer_version: The version that the provider read.
        returns: Whether the channel goes back from an image whose roll-out failed: the step `roll-out` leaves the label
            then, last.
    """

    step = "held"
    claim: dict[str, Any]
    pointer_version: int = 0
    returns: bool = field(default=False, metadata=IF_GIVEN)


@dataclass(frozen=True, kw_only=True)
class Leave(Promotion):
    """Let the tags be as if the channel held nothing any more."""

    step = "leave"


@dataclass(frozen=True, kw_only=True)
class Settle(Promotion):
    """Let the channel tags of a role's images follow its pointers.

    Attributes:
        source: Where the stack takes images from: a channel, ``bake``, or None.
        when: When the pointer was written, ISO 8601.
    """

    step = "settle"
    source: str | None = None
    when: str


@dataclass(frozen=True, kw_only=True)
class RollOut(Promotion):
    """Move the machines of a group to a version of its launch template, and return if they do not become healthy.

    Attributes:
        source: Where the stack takes images from: a channel, ``bake``, or None.
        label: The word of the label that the promotion has left on the pointer.
        when: When the pointer was written, ISO 8601: refreshes that are older belong to an earlier promotion.
        group: Name of the Auto Scaling group.
        template: ID of its launch template.
        version: Number of the version that has the image.
        preferences: The instance refresh's, in the words of the API (RefreshPreferences).
        timeout_minutes: How long the refresh may take, from its start.
        rejected: The image that was asked for, where this update finishes the return from it.
    """

    step = "roll-out"
    made_in = "fleet_group.py"
    source: str | None = None
    label: str
    when: str
    group: str
    template: str
    version: int
    preferences: dict[str, Any]
    timeout_minutes: int
    rejected: str | None = field(default=None, metadata=IF_GIVEN)
