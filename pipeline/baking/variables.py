"""Values for the variables of the Packer template: known, of the declared type, and nothing but data.

Imports neither pulumi nor botocore.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.baking import sizes
from pipeline.errors import PipelineError
from pipeline.settings.kinds import nearest
from pipeline.settings.role import TEMPLATE
from pipeline.visible import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.settings.load import Settings
    from pipeline.settings.role import Role

ACCESS_FILE = "access.pkr.hcl"
"""Declares how Packer reaches AWS and the builder; nothing of it goes into an image."""

FACTS = frozenset(
    {"region", "bake_key", "bake_id", "git_commit", "manifest_path", "root_device_name", "builder_minutes"}
)
"""Template variables that a bake sets itself."""

ELSEWHERE = {
    "image_role": "golden-image:role",
    "source_image_architecture": "golden-image:architecture",
    "region": "aws:region",
}
"""Template variables that follow another key of stack config."""

# `packer fmt` writes a block's header on one line and at its start, and `make lint` insists on it.
_VARIABLE = re.compile(r'^variable\s+"([^"]+)"\s*\{(.*?)^\}', re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"^\s+type\s*=\s*(.+?)\s*$", re.MULTILINE)
_LIST = re.compile(r"(?:list|set)\((\w+)\)")

_MARKUP = re.compile(r"\{[{%#]")
"""How Jinja (Ansible) and Go (Packer) begin what they replace."""

# Also line breaks: each value ends up in tags, in one line of a page, or in a name.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")

_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \S+")
"""How the Pulumi CLI hands on a date without quotes in a stack file (Go's time.Time.String)."""

PRIVATE_INTERFACES = ("private_ip", "private_dns")


@dataclass(frozen=True, kw_only=True)
class TemplateVariables:
    """A template's variables.

    Attributes:
        content: Names of those that shape the image.
        access: Names of those that only say how Packer reaches AWS and the builder.
        types: Name to declared type, such as ``list(string)``, where it is declared on one line.
    """

    content: frozenset[str]
    access: frozenset[str]
    types: Mapping[str, str] = field(default_factory=dict)


def template_variables(folder: Path) -> TemplateVariables:
    """The variables that the template in `folder` declares.

    Raises:
        PipelineError: There is no template.
    """
    content: set[str] = set()
    access: set[str] = set()
    types: dict[str, str] = {}
    files = sorted(folder.glob("*.pkr.hcl"))
    if not files:
        raise PipelineError(
            "there is no Packer template",
            seen=f"no *.pkr.hcl in {folder.name}/",
            change="run from the project's folder",
        )
    for path in files:
        for name, body in _VARIABLE.findall(path.read_text(encoding="utf-8")):
            (access if path.name == ACCESS_FILE else content).add(name)
            declared = _TYPE.search(body)
            if declared:
                types[name] = declared[1]
    return TemplateVariables(content=frozenset(content), access=frozenset(access), types=types)


def variables_of(
    stack: Settings, role: Role, template: Path = TEMPLATE
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values for the template's variables: those that shape the image, and those that only reach for AWS.

    A stack's own come before its role's. Those that are left out have the template's default.

    Raises:
        PipelineError: The template has no such variable.
    """
    known = template_variables(template)
    split_variables(role.variables, known, where=f"variables in {role.file}")
    given = {**role.variables, **stack.bake.variables}
    content, access = split_variables(given, known, where=where_of(stack))
    # The template's own default is of the other architecture.
    size = {"instance_type": sizes.BUILDER[stack.architecture]} if stack.architecture != "x86_64" else {}
    return (
        {"image_role": stack.role, "source_image_architecture": stack.architecture, **content},
        {**size, **access},
    )


def where_of(stack: Settings) -> str:
    """The key and the file that a stack's own values are in."""
    return f"golden-image:bake.variables in {stack.stack_file}"


def split_variables(
    values: Mapping[str, Any], known: TemplateVariables, *, where: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check variable values, and sort them into content and access.

    Args:
        values: Name to value, as a person wrote them.
        known: What the template declares.
        where: The file and key that hold them, for the error.

    Raises:
        PipelineError: The template does not have the variable, the program sets it, or the value has another type
            than the template declares, holds template markup or a control character.
    """
    settable = sorted((known.content | known.access) - FACTS - ELSEWHERE.keys())
    for name, value in values.items():
        if name not in settable:
            raise _not_settable(name, value, settable, where)
        _check(name, value, known.types.get(name, "any"), where)
    _check_reach(values, where)
    return (
        {name: value for name, value in values.items() if name in known.content},
        {name: value for name, value in values.items() if name in known.access},
    )


def _not_settable(name: str, value: object, settable: list[str], where: str) -> PipelineError:
    if name in ELSEWHERE:
        return PipelineError(
            f"{name} cannot be set in bake.variables: it follows {ELSEWHERE[name]}",
            seen=f"{name}: {quoted(value)}",
            allowed=f"the value in {ELSEWHERE[name]}, and nothing here",
            change=where,
        )
    if name in FACTS:
        return PipelineError(
            f"{name} cannot be set in bake.variables: each bake sets it",
            seen=f"{name}: {quoted(value)}",
            allowed=", ".join(settable),
            change=where,
        )
    return PipelineError(
        f"the template does not have the variable {quoted(name)}{nearest(name, settable)}",
        seen=f"{quoted(name)}: {quoted(value)}",
        allowed=", ".join(settable),
        change=where,
    )


def _check(name: str, value: Any, declared: str, where: str) -> None:
    """One value: its type, and that it is data."""
    if value is not None and not _fits(value, declared):
        quotes = declared == "string" and isinstance(value, (int, float))
        raise PipelineError(
            f"bake.variables.{name} is not a {declared}",
            seen=f"{quoted(value)}" + (", a number or a flag to YAML" if quotes else ""),
            allowed=_WORDS.get(declared, f"a {declared}, as packer/ declares it"),
            change=where,
        )
    for text in _texts(value):
        if _DATE.fullmatch(text):
            raise PipelineError(
                f"bake.variables.{name} is a date to YAML",
                seen=text,
                allowed=_WORDS["string"],
                change=where,
            )
        markup = _MARKUP.search(text)
        if markup or _CONTROL.search(text):
            raise PipelineError(
                f"bake.variables.{name} holds {'template markup' if markup else 'a control character'}",
                seen=quoted(text),
                allowed="plain text on one line, without {{, {% and {#",
                change=where,
            )


def _check_reach(values: Mapping[str, Any], where: str) -> None:
    """Who may reach the builder: by default this machine's public address, which is not seen inside a VPC."""
    interface = values.get("ssh_interface")
    if interface not in PRIVATE_INTERFACES:
        return
    if not values.get("temporary_security_group_source_cidrs") and not values.get("security_group_ids"):
        raise PipelineError(
            "nothing says who may reach the builder at its private address",
            seen=f"ssh_interface: {interface}, without a range or a group of yours",
            allowed="temporary_security_group_source_cidrs with the range that this machine is in, such as "
            "[10.0.0.0/16]; or security_group_ids",
            change=where,
        )


_WORDS = {
    "string": 'a text; what YAML reads as a number, a flag or a date is put in quotes, such as "1.10"',
    "number": "a number, without quotes",
    "bool": "true or false, without quotes",
    "list(string)": 'a list of texts, such as ["self"]',
}


def _fits(value: Any, declared: str) -> bool:
    """Whether a value is of a type of HCL; types that are not simple are left to Packer."""
    # bool is an int to Python, and not to a person.
    if declared == "string":
        return isinstance(value, str)
    if declared == "bool":
        return isinstance(value, bool)
    if declared == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    items = _LIST.fullmatch(declared)
    if items:
        return isinstance(value, list) and all(_fits(item, items[1]) for item in value)
    return True


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, keys of mappings too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
