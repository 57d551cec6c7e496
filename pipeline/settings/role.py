"""A role: one folder, packer/roles/ROLE/, whose file role.yaml says how its machines are reached.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError
from pipeline.settings.keys import Keys
from pipeline.settings.kinds import NAME, Whole, Words, nearest
from pipeline.settings.refusals import key_error, refusal
from pipeline.settings.schema import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = Path("packer")
"""The template's folder, relative to the project's, which is the working directory."""

FOLDER = "roles"
FILE = "role.yaml"
CHECKS = "checks"
PAGE = "docs/how-to/add-a-role.md"

ALWAYS_OPEN = {"ssh": 22, "node-exporter": 9100}
"""What the checks of every image talk to: the port's name and its number."""

_FREE = f"another than those of every machine: {', '.join(f'{name} {port}' for name, port in ALWAYS_OPEN.items())}"


class RoleFile(Keys):
    """The keys of role.yaml. What goes into the image are the folder's other files."""

    ports: Annotated[
        dict[Annotated[str, NAME], Annotated[int, Whole(1, 65535)]],
        Words("a mapping of a port's name to its number, such as http: 80"),
    ] = Field(default_factory=dict)
    """TCP ports that the role's checks talk to, by a name of your own; 22 and 9100 are open anyway."""

    health: Annotated[int, Whole(1, 65535)] | None = None
    """The one of these ports at which GET /health has to answer with status 200. Default: none does."""

    variables: dict[str, Any] = Field(default_factory=dict)
    """Values for variables of the Packer template, which golden-image:bake.variables of a stack override."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """What machines are for.

    Attributes:
        name: Its name, which is its folder's.
        file: Its role.yaml, for the errors.
        ports: Name to number of each port that the checks talk to.
        health: The port at which GET /health has to answer, or None.
        variables: Values for the template's variables, where a stack does not give its own.
    """

    name: str
    file: str
    ports: Mapping[str, int]
    health: int | None
    variables: Mapping[str, Any]


def names(template: Path = TEMPLATE) -> list[str]:
    """The roles that there are: each folder with a role.yaml, in the order of the alphabet."""
    return sorted(path.parent.name for path in (template / FOLDER).glob(f"*/{FILE}") if path.is_file())


def of_others(template: Path, name: str) -> tuple[str, ...]:
    """What the names of files of other roles begin with, relative to the template's folder."""
    return tuple(f"{FOLDER}/{other}/" for other in names(template) if other != name)


def read(template: Path, name: str, stack_file: str) -> Role:
    """A role, from its file.

    Args:
        template: The template's folder.
        name: Its name.
        stack_file: The file that names it, for the error.

    Raises:
        PipelineError: It does not exist, or its file has a key that is unknown or does not fit.
    """
    require(template, name, stack_file)
    path = template / FOLDER / name / FILE
    file = str(path)
    values = _loaded(path)
    try:
        found = RoleFile.model_validate(values)
    except ValidationError as error:
        raise refusal(error, RoleFile, file) from None
    _check(found, file)
    ports = {**ALWAYS_OPEN, **found.ports}
    return Role(name=name, file=file, ports=ports, health=found.health, variables=found.variables)


def require(template: Path, name: str, stack_file: str) -> None:
    """Refuse a role that does not exist.

    Raises:
        PipelineError: There is no such folder, it has no role.yaml, or it is where roles were before.
    """
    known = names(template)
    if name in known:
        return
    folder = template / FOLDER / name
    if folder.is_dir():
        raise PipelineError(
            f"role {name} has no {FILE}",
            seen=f"{folder}/ without it",
            allowed=f"a file that lists the ports of the role, if only `ports: {{}}`; see {PAGE}",
            change=f"{folder / FILE}",
        )
    former = template / "ansible" / "roles" / name
    if former.is_dir() and f"role: {name}\n" not in _text(template / "ansible" / "image.yml"):
        raise PipelineError(
            f"role {name} is in the place where roles were before",
            seen=f"{former}/",
            allowed=f"{folder}/, with a {FILE} and a folder {CHECKS}",
            change=f"git mv {former} {folder}, then write {folder / FILE}; see {PAGE}",
        )
    raise PipelineError(
        f"{PROJECT}:role names a role that does not exist{nearest(name, known)}",
        seen=name,
        allowed=f"{', '.join(known) or 'none yet'}: the folders of {template / FOLDER}/ that have a {FILE}",
        change=f"{PROJECT}:role in {stack_file} or Pulumi.yaml; a new role: {PAGE}",
    )


def _loaded(path: Path) -> dict[Any, Any]:
    try:
        found = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise PipelineError("the role's file cannot be read", seen=str(error), change=str(path)) from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise PipelineError(
            "the role's file is not a mapping",
            seen=type(found).__name__,
            allowed=f"the keys {', '.join(str(field.alias) for field in RoleFile.model_fields.values())}",
            change=str(path),
        )
    return {str(key): value for key, value in found.items()}


def _check(found: RoleFile, file: str) -> None:
    """What keys say together.

    Raises:
        PipelineError: They contradict each other.
    """
    numbers = list(found.ports.values())
    for name, port in found.ports.items():
        if name in ALWAYS_OPEN or port in ALWAYS_OPEN.values():
            raise key_error(f"ports.{name}", "is open anyway", file, seen=port, allowed=_FREE)
        if numbers.count(port) > 1:
            raise key_error(f"ports.{name}", "is there twice", file, seen=port, allowed="each port once")
    if found.health is not None and found.health not in numbers:
        allowed = f"a port of ports: {', '.join(map(str, numbers)) or 'which has none'}"
        raise key_error("health", "is not a port of the role", file, seen=found.health, allowed=allowed)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
