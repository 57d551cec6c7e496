"""The project's file: Pulumi.yaml gives every stack values that its own file may override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.settings.schema import PROJECT
from pipeline.settings.stackfile import StackFile

if TYPE_CHECKING:
    from pathlib import Path

FILE = "Pulumi.yaml"

_DECLARES = frozenset({"default", "description", "items", "secret", "type", "value"})
"""Keys of a declaration, other than a plain value (Pulumi, "Project file reference", config options)."""


def defaults(stack_file: Path) -> dict[str, Any]:
    """Full key to value, of the project that a stack file belongs to: the nearest in its folder or above.

    Raises:
        PipelineError: The project's file cannot be read, or is not YAML.
    """
    folder = stack_file.resolve().parent
    found = next((place / FILE for place in (folder, *folder.parents) if (place / FILE).is_file()), None)
    if found is None:
        return {}
    given = StackFile.read(found, may_lack_config=True).config()
    # A key without a namespace is the project's own.
    named = {key if ":" in key else f"{PROJECT}:{key}": _value(value) for key, value in given.items()}
    return {key: value for key, value in named.items() if value is not None}


def _value(declared: Any) -> Any:
    if isinstance(declared, dict) and declared and declared.keys() <= _DECLARES:
        return declared.get("value", declared.get("default"))
    return declared
