"""Property values as the engine sends them, and as plain Python.

On the wire a map is a protobuf Struct; a value that is not known yet is a certain string, and a secret is a
map with a certain key (Pulumi's provider protocol, sdk/proto).
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import json_format, struct_pb2

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """A value that will be known only when another resource is there."""

    def __repr__(self) -> str:
        return "<not known yet>"


UNKNOWN: Final = Unknown()


def is_unknown(value: Any) -> bool:
    """Whether anything in `value` is not known yet."""
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(is_unknown(item) for item in value)
    return value is UNKNOWN


def decode(struct: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[str]]:
    """Plain values of a Struct, and the names of the top-level ones that are, or hold, a secret."""
    raw: dict[str, Any] = json_format.MessageToDict(struct)
    return (
        {name: _plain(value) for name, value in raw.items()},
        frozenset(name for name, value in raw.items() if _holds_secret(value)),
    )


def encode(values: dict[str, Any], secrets: frozenset[str] = frozenset()) -> struct_pb2.Struct:
    """A Struct of plain values; those named in `secrets` are marked."""
    struct = struct_pb2.Struct()
    struct.update(
        {
            name: {_SIGNATURE: _SECRET, "value": _wire(value)} if name in secrets else _wire(value)
            for name, value in values.items()
            if value is not None
        }
    )
    return struct


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return _plain(value["value"])
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if value == _UNKNOWN_TEXT:
        return UNKNOWN
    # Every number on the wire is a float; AWS wants whole ones.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get(_SIGNATURE) == _SECRET or any(_holds_secret(item) for item in value.values())
    return isinstance(value, list) and any(_holds_secret(item) for item in value)


def _wire(value: Any) -> Any:
    if value is UNKNOWN:
        return _UNKNOWN_TEXT
    if isinstance(value, dict):
        return {name: _wire(item) for name, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_wire(item) for item in value]
    return value
