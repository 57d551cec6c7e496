"""`pulumi preview --json`, read: which resources change, how, and what the program printed.

Source: the output of Pulumi 3.250 (`display.PreviewDigest`): ``config``, ``steps``, ``diagnostics``,
``changeSummary``. A preview that failed has no steps, but diagnostics.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import visible
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes what is not known before the update (sdk/go/common/resource/plugin, UnknownStringValue)."""

SECRET = "[secret]"  # the engine's word for one
SECRET_MARK = "4dabf18193072939515e22adb298388d"
"""The key of an object that represents a secret (sdk/go/common/resource, SigKey)."""

ELIDED = "…"
"""A value of several parts that will be another as a whole."""

URN_PARTS = 4
"""``urn:pulumi:STACK``, ``PROJECT``, ``TYPES``, ``NAME``."""

SAME = "same"
OPERATIONS = {
    "create": "create",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
    "read": "read",
    "import": "import",
    "discard": "discard",
}
"""The engine's word to ours; of the three steps of a replacement the preview shows one."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """A property that changes.

    Attributes:
        path: Such as ``tags.Name``.
        before: What it is, as text; None if it is not there. A secret is `SECRET`.
        after: What it will be; `UNKNOWN` where only the update knows.
    """

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource of a preview.

    Attributes:
        operation: One of `OPERATIONS`, or `SAME`.
        type: Such as ``aws:ec2/launchTemplate:LaunchTemplate``.
        name: Its name in the program.
        inputs: The program's values before and after; empty where there is no such side.
        outputs: The state's values.
        properties: What differs, in the order of its names.
    """

    operation: str
    type: str
    name: str
    inputs: tuple[Mapping[str, Any], Mapping[str, Any]]
    outputs: Mapping[str, Any]
    properties: tuple[Property, ...]


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One stack's preview.

    Attributes:
        stack: The stack's name.
        config: Its config, as the engine shows it (secrets are `SECRET`).
        changes: All resources, the unchanged too.
        errors: What stopped it; empty if nothing did.
        said: The lines that the program printed besides.
    """

    stack: str
    config: Mapping[str, str]
    changes: tuple[Change, ...]
    errors: tuple[str, ...]
    said: tuple[str, ...]

    def of_type(self, token: str) -> Change | None:
        """The first resource of a type."""
        return next((change for change in self.changes if change.type == token), None)

    def command(self, step: str) -> Change | None:
        """The command resource that runs a step of the pipeline."""
        for change in self.changes:
            before, after = change.inputs
            if change.type == "command:local:Command" and step in (before.get("create"), after.get("create")):
                return change
        return None

    @property
    def changed(self) -> tuple[Change, ...]:
        """The resources that do not stay as they are."""
        return tuple(change for change in self.changes if change.operation != SAME)


def run(stack: str, config_file: Path) -> Preview:
    """Preview a stack; one that fails is a preview with errors.

    Args:
        stack: Its name.
        config_file: Its config file.

    Raises:
        PipelineError: Pulumi is not on PATH, or its output is not a preview.
    """
    argv = ["pulumi", "preview", "--json", "--non-interactive", "--stack", stack]
    argv += ["--config-file", str(config_file)]
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PipelineError(
            "pulumi is not on PATH",
            change="`make setup` installs it for this project; or install it yourself",
        ) from error
    if not done.stdout.strip():
        # Before there is a preview at all: no such stack, no login, a locked backend.
        return Preview(
            stack=stack,
            config={},
            changes=(),
            errors=(_clean(done.stderr) or "no output from pulumi",),
            said=(),
        )
    return parse(stack, done.stdout)


def parse(stack: str, text: str) -> Preview:
    """Read the JSON of a preview.

    Raises:
        PipelineError: It is none.
    """
    try:
        digest = _digest(text)
        diagnostics = [_object(entry, "a diagnostic") for entry in _list(digest, "diagnostics")]
        told = [(_text(entry, "severity"), _clean(_text(entry, "message"))) for entry in diagnostics]
        config = _mapping(digest, "config")
        return Preview(
            stack=stack,
            config={key: _text(config, key) for key in config},
            changes=tuple(_change(_object(step, "a step")) for step in _list(digest, "steps")),
            errors=tuple(message for severity, message in told if severity == "error" and message),
            said=tuple(message for severity, message in told if severity in ("info", "warning") and message),
        )
    except _NoPreview as error:
        raise _not_one(stack, str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _not_one(stack, visible.cut(text, visible.VALUE_LENGTH)) from error


class _NoPreview(Exception):  # noqa: N818 - becomes one
    """A part is not what Pulumi writes."""


def _not_one(stack: str, seen: str) -> PipelineError:
    return PipelineError(
        f"the preview of stack {stack} is not what Pulumi writes",
        seen=seen,
        allowed="the output of `pulumi preview --json`",
    )


def _digest(text: str) -> dict[str, Any]:
    digest = _object(json.loads(text), "the whole")
    if not digest.keys() & {"config", "steps", "diagnostics"}:
        raise _NoPreview(f"neither config nor steps nor diagnostics: {visible.quoted(digest)}")
    return digest


def _object(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _NoPreview(f"{name} is not an object: {visible.quoted(value)}")
    return value


def _mapping(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = entry.get(key)
    return {} if value is None else _object(value, key)


def _list(entry: Mapping[str, Any], key: str) -> list[Any]:
    value = entry.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _NoPreview(f"{key} is not a list: {visible.quoted(value)}")
    return value


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise _NoPreview(f"{key} is not a text: {visible.quoted(value)}")
    return value


def _clean(message: str) -> str:
    return message.strip().removeprefix("error: ")


def _change(step: Mapping[str, Any]) -> Change:
    old, new = _mapping(step, "oldState"), _mapping(step, "newState")
    operation, parts = _text(step, "op"), _text(step, "urn").split("::", URN_PARTS - 1)
    if len(parts) != URN_PARTS or not operation:
        raise _NoPreview("a step has no op, or no whole urn")
    before, after = _mapping(old, "inputs"), _mapping(new, "inputs")
    # A refresh before the preview changes nothing that the update would.
    operation = SAME if operation in (SAME, "refresh") else OPERATIONS.get(operation, operation)
    return Change(
        operation=operation,
        type=_text(new, "type") or _text(old, "type") or parts[2].rpartition("$")[2],
        name=parts[-1],
        inputs=(before, after),
        outputs=_mapping(old, "outputs"),
        properties=tuple(_properties(before, after)) if operation != SAME else (),
    )


def _properties(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Property]:
    """What differs. Of a value that is not known as a whole the old parts are not listed one by one."""
    for name in sorted(before.keys() | after.keys()):
        if name.startswith("__"):
            continue
        if after.get(name) == UNKNOWN:
            parts = dict(_flat(name, before.get(name)))
            yield Property(path=name, before=parts.get(name, ELIDED if parts else None), after=UNKNOWN)
            continue
        old, new = dict(_flat(name, before.get(name))), dict(_flat(name, after.get(name)))
        for path in sorted(old.keys() | new.keys()):
            if old.get(path) != new.get(path):
                yield Property(path=path, before=old.get(path), after=new.get(path))


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """The leaves of a value; a text that is a JSON object (a step's plan) is looked into as well."""
    match value:
        case None:
            return
        case str() if (plan := plan_in(value)) is not None:
            for key, inner in plan.items():
                yield from _flat(f"{path}:{key}", inner)
        case str():
            yield path, value
        case dict() if SECRET_MARK in value:
            yield path, SECRET
        case dict():
            for key, inner in value.items():
                yield from _flat(f"{path}.{key}", inner)
        case list():
            for number, inner in enumerate(value):
                yield from _flat(f"{path}[{number}]", inner)
        case _:
            yield path, json.dumps(value)


def plan_in(text: Any) -> dict[str, Any] | None:
    """A step's plan: the JSON object that a text is; None if it is none."""
    if not isinstance(text, str) or not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
