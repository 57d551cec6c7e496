"""The stacks that are asked about: their files, and what of them the checks need."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.settings.schema import Validation

PATTERN = "Pulumi.{stack}.yaml"
_MARK = "{stack}"


@dataclass(frozen=True, order=True)
class Place:
    """Where a stack is, and how AWS is asked there.

    Attributes:
        region: AWS region.
        profile: AWS profile; empty means the environment's credentials.
    """

    region: str
    profile: str = ""

    def __str__(self) -> str:
        return f"{self.region}, profile {self.profile}" if self.profile else self.region


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What a stack file says, as far as the checks need it.

    Attributes:
        name: The stack's name.
        file: Its config file.
        place: Where it is.
        role: What its machines are for.
        channel: The channel that it promotes into.
        source: The channel that it takes from, ``bake``, or None.
        bakes: Whether it bakes.
        architecture: Of the source image and of the machines.
        variables: Values for the Packer template.
        validation: ``golden-image:validation``.
        clone_type: Instance type of a validation machine.
    """

    name: str
    file: Path
    place: Place
    role: str
    channel: str
    source: str | None
    bakes: bool
    architecture: str
    variables: Mapping[str, Any]
    validation: Validation
    clone_type: str

    @property
    def about(self) -> str:
        """How findings call it."""
        return f"stack {self.name}"

    def where(self, key: str) -> str:
        """Where a person changes a key."""
        return f"golden-image:{key} in {self.file}"


def path_of(pattern: str, stack: str) -> Path:
    """The config file of a stack."""
    return Path(pattern.replace(_MARK, stack))


def names(pattern: str) -> list[str]:
    """The stacks that have a config file, by its name; none if the pattern does not name the stack."""
    if _MARK not in pattern:
        return []
    path = Path(pattern)
    name = re.compile(re.escape(path.name).replace(re.escape(_MARK), "(.+)"))
    found = (name.fullmatch(file.name) for file in path.parent.glob(path.name.replace(_MARK, "*")))
    return sorted(match[1] for match in found if match)


def read(name: str, path: Path) -> Stack:
    """Read a stack's file.

    Raises:
        PipelineError: See `load.read`.
    """
    settings = load.read(name, path)
    return Stack(
        name=name,
        file=path,
        place=Place(settings.region, settings.profile or ""),
        role=settings.role,
        channel=settings.channel,
        source=settings.source,
        bakes=settings.bakes,
        architecture=settings.architecture,
        variables=settings.bake.variables,
        validation=settings.validation,
        clone_type=settings.clone_type,
    )
