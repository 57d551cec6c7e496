"""A stack's settings, by two doors: as the engine hands config to the program, and from the files of the project."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.settings import contradictions, provider
from pipeline.settings.project import defaults
from pipeline.settings.refusals import key_error, refusal
from pipeline.settings.request import Request
from pipeline.settings.schema import FAMILY, FROM_BAKE, OBJECT_KEYS, PROJECT, Config
from pipeline.settings.stackfile import StackFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Settings(Config):
    """All that a stack's config says.

    Attributes:
        stack: The stack's name.
        stack_file: The file that a person changes, for the errors.
        region: AWS region of every resource and call.
        profile: AWS profile, or None for the environment's credentials.
    """

    stack: str
    stack_file: str
    region: str
    profile: str | None

    @property
    def bakes(self) -> bool:
        """Whether this stack makes its image itself."""
        return self.pin is None and self.source == FROM_BAKE

    @property
    def clone_type(self) -> str:
        """Instance type of a validation machine."""
        return self.validation.instance_type or f"{FAMILY[self.architecture]}.micro"

    @property
    def fleet_type(self) -> str:
        """Instance type of the fleet's machines."""
        return self.fleet.instance_type or f"{FAMILY[self.architecture]}.medium"

    @property
    def request(self) -> Request:
        """Which existing image this stack asks for, where it bakes none."""
        channel = None if self.source == FROM_BAKE else self.source
        return Request(
            stack=self.stack,
            stack_file=self.stack_file,
            role=self.role,
            channel=self.channel,
            architecture=self.architecture,
            owners=self.allowed_owners,
            pin=self.pin,
            source_channel=channel,
            upstream=channel,
            soak=self.soak_time,
        )

    @property
    def soak_time(self) -> timedelta | None:
        """How long an image must have been in the channel that it is taken from, or None."""
        if self.soak is None:
            return None
        return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[self.soak[-1]]: int(self.soak[:-1])})

    @property
    def environment(self) -> dict[str, str]:
        """How a step of the pipeline reaches AWS, as environment variables."""
        profile = {"AWS_PROFILE": self.profile} if self.profile else {}
        return {"AWS_REGION": self.region} | profile


def read(stack: str, path: Path) -> Settings:
    """The settings of a stack as its files have them: the project's defaults, then the stack's own.

    Encrypted values are left out; none of them is needed where no program runs.

    Args:
        stack: The stack's name.
        path: Its config file.

    Raises:
        PipelineError: See `parse`, `StackFile.read` and `defaults`.
    """
    config = defaults(path) | StackFile.read(path).config()
    return parse({key: _as_text(value) for key, value in config.items()}, stack=stack, stack_file=str(path))


def parse(config: Mapping[str, str], *, stack: str, stack_file: str | None = None) -> Settings:
    """Turn a stack's config into settings.

    Args:
        config: Full key (``golden-image:role``) to value; lists and mappings as JSON text, as the engine
            hands them over.
        stack: The stack's name.
        stack_file: The file that a person changes; by default the one that Pulumi reads.

    Raises:
        PipelineError: A key is unknown, missing or has a value that is not allowed; or keys contradict
            each other.
    """
    file = stack_file or f"Pulumi.{stack}.yaml"
    values = _decoded(config, file)
    region, profile = provider.region_and_profile(config, file)
    try:
        found = Config.model_validate(values)
    except ValidationError as error:
        raise refusal(error, Config, file, prefix=f"{PROJECT}:") from None
    _check(found, file)
    contradictions.refuse(found.fleet, region, file)
    return Settings.model_construct(
        **dict(found), stack=stack, stack_file=file, region=region, profile=profile
    )


def _as_text(value: Any) -> str:
    """A value of a file as the engine hands it over."""
    if isinstance(value, (list, dict, bool)):
        return json.dumps(value)
    return "" if value is None else str(value)


def _decoded(config: Mapping[str, str], file: str) -> dict[str, Any]:
    """This project's keys without their namespace, structured values decoded."""
    prefix = f"{PROJECT}:"
    values: dict[str, Any] = {}
    for full_key, text in config.items():
        if not full_key.startswith(prefix):
            continue
        key = full_key.removeprefix(prefix)
        try:
            values[key] = json.loads(text) if key in OBJECT_KEYS and text else text
        except (ValueError, RecursionError):
            allowed = "a list" if key == "allowedOwners" else "a mapping of keys to values"
            raise key_error(full_key, "is not valid", file, seen=text, allowed=allowed) from None
    return values


def _check(found: Config, file: str) -> None:
    """What keys say together.

    Raises:
        PipelineError: They contradict each other.
    """
    if found.allowed_owners != ("self",):
        raise key_error(
            f"{PROJECT}:allowedOwners",
            "names another account, whose image could never be promoted: EC2 shows an image's tags to its owner "
            "alone, and the role and the validation are tags",
            file,
            seen=list(found.allowed_owners),
            allowed="self, which is the default; to use another account's image, bake from it "
            "(source_image_owners and source_image_name in golden-image:bake.variables)",
        )
    if found.channel == FROM_BAKE:
        allowed = f"any name but {FROM_BAKE}, which golden-image:from uses for a bake"
        raise key_error(f"{PROJECT}:channel", "is not valid", file, seen=found.channel, allowed=allowed)
    soak, timeout = found.validation.soak_seconds, found.validation.timeout_seconds
    if soak >= timeout:
        raise key_error(
            f"{PROJECT}:validation.soakSeconds",
            "leaves no time for anything else before the deadline",
            file,
            seen=soak,
            allowed=f"less than {PROJECT}:validation.timeoutSeconds, which is {timeout}; 0 leaves the second look out",
        )
    if found.source is None and found.pin is None:
        raise PipelineError(
            "the stack does not say where its image comes from",
            seen="nothing",
            allowed=f"{FROM_BAKE}, or the name of the channel to take from, such as candidate; or pin an image "
            "with golden-image:image",
            change=f"{PROJECT}:from in {file}",
        )
    if found.soak is not None and found.source in (None, FROM_BAKE):
        raise key_error(
            f"{PROJECT}:soak",
            "contradicts the rest: this stack takes its image from no channel, in which it could have been for a time",
            file,
            seen=found.soak,
            allowed=f"with {PROJECT}:from and the name of a channel; here it is "
            f"{'not set' if found.source is None else FROM_BAKE}",
        )
    if found.source == found.channel:
        raise PipelineError(
            "the stack takes its image from the channel it promotes into",
            seen=visible.quoted(found.source),
            allowed=f"{FROM_BAKE}, or another channel than the one this stack promotes into",
            change=f"{PROJECT}:from in {file}",
        )
