"""Write the reference of stack files and role.yaml: docs/configuration.md, and JSON schemas for an editor.

Usage: python -m tools.reference
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipeline.settings import provider
from pipeline.settings.keys import mapping_of
from pipeline.settings.kinds import PROFILE, REGION
from pipeline.settings.role import RoleFile
from pipeline.settings.schema import PROJECT, Config
from tools.checks import PROJECT as FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from pipeline.settings.keys import Keys

PAGE = FOLDER / "docs/configuration.md"
SCHEMA = FOLDER / "docs/stack-file.schema.json"
ROLE_SCHEMA = FOLDER / "docs/role.schema.json"

DRAFT = "https://json-schema.org/draft/2020-12/schema"

ENCRYPTED = {
    "type": "object",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}

HEAD = f"""# Configuration

Every key of a stack file, as `python -m tools.reference` prints it from `pipeline/settings/schema.py`. Values that all
stacks share belong in `Pulumi.yaml`. An editor with a YAML language server completes and checks the keys by
[{SCHEMA.name}]({SCHEMA.name}): each stack file names it in its first line.

| key | value | default | what it is for |
|---|---|---|---|
| `aws:region` | {REGION.allowed} | required | AWS region of every resource and call. |
| `aws:profile` | {PROFILE.allowed} | the environment's credentials | AWS profile of every resource and call. |
"""
_HARMLESS = "\n".join(f"* `aws:{key}`" for key in provider.HARMLESS)
TAIL = f"""
Of the AWS provider's other keys these are allowed, and only the provider obeys them:

{_HARMLESS}

The others are refused: the provider alone would obey them, and not the bake, the validation and the promotion.

## role.yaml

The keys of `packer/roles/ROLE/role.yaml` ([add a role](how-to/add-a-role.md)), as `pipeline/settings/role.py` has them,
and [{ROLE_SCHEMA.name}]({ROLE_SCHEMA.name}) for an editor:

| key | value | default | what it is for |
|---|---|---|---|
"""


def page() -> str:
    """The text of docs/configuration.md."""
    return HEAD + "".join(_rows(Config, f"{PROJECT}:")) + TAIL + "".join(_rows(RoleFile, ""))


def _rows(model: type[Keys], prefix: str, required: str = "required") -> Iterator[str]:
    """A row for each key; of a mapping one for each key in it, and one for itself if it may be left out."""
    for field in model.model_fields.values():
        name = f"{prefix}{field.alias}"
        inner = mapping_of(field.annotation)
        optional = inner is not None and field.get_default() is None
        if inner is None or optional:
            meaning, default = _meaning(field, required)
            cells = (f"`{name}`", _allowed(field), default, meaning)
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
        if inner is not None:
            yield from _rows(inner, f"{name}.", f"required in `{name}`" if optional else required)


def _meaning(field: FieldInfo, required: str) -> tuple[str, str]:
    """What a key is for, and its default in words."""
    text = " ".join((field.description or "").split())
    if field.is_required():
        return text, required
    said = re.fullmatch(r"(.*?) Default: (.*)\.", text)
    if said:
        return said[1], said[2]
    value = field.get_default(call_default_factory=True)
    if value in (None, {}, ()):
        return text, "none"
    return text, f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    """What the value may be, in the words of its refusal."""
    for place in (field.metadata, *(getattr(part, "__metadata__", ()) for part in _parts(field.annotation))):
        for one in place:
            if hasattr(one, "allowed"):
                return str(one.allowed)
    return "a mapping of keys to values"


def _parts(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def schema() -> dict[str, Any]:
    """The JSON schema of a stack file (draft 2020-12)."""
    made = Config.model_json_schema()
    own = {f"{PROJECT}:{key}": _with_encrypted(value) for key, value in made["properties"].items()}
    others: dict[str, Any] = {f"aws:{key}": {} for key in provider.HARMLESS}
    region = {"type": "string", "pattern": f"^(?:{REGION.pattern})$"}
    profile = {"type": "string", "pattern": f"^(?:{PROFILE.pattern})$"}
    keys = {"aws:region": region, "aws:profile": profile, **others, **own}
    return {
        "$schema": DRAFT,
        "title": "A stack file of golden-image",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": keys,
                "propertyNames": {"anyOf": [{"enum": list(keys)}, {"pattern": f"^(?!(?:{PROJECT}|aws):)"}]},
            }
        },
        "$defs": made["$defs"],
    }


def json_text() -> str:
    """The text of the schema's file."""
    return json.dumps(schema(), indent=2) + "\n"


def role_text() -> str:
    """The text of the file with the schema of a role.yaml."""
    made = {"$schema": DRAFT, **RoleFile.model_json_schema(), "title": "A role.yaml of golden-image"}
    return json.dumps(made, indent=2) + "\n"


def _with_encrypted(value: dict[str, Any]) -> dict[str, Any]:
    return {"description": value.get("description", ""), "anyOf": [value, ENCRYPTED]}


def main() -> None:
    """Write the files."""
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(json_text(), encoding="utf-8")
    ROLE_SCHEMA.write_text(role_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
