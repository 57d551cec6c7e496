"""What a resource type accepts: names, types and rules of its inputs, and the check against them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from lab.plugins.wire import UNKNOWN

STRING, INTEGER, BOOLEAN, ANY = "string", "integer", "boolean", "any"


@dataclass(frozen=True)
class ListOf:
    """A list whose items are all of one kind."""

    item: Kind


@dataclass(frozen=True)
class MapOf:
    """A map of any names to values of one kind."""

    item: Kind


@dataclass(frozen=True)
class Block:
    """A nested object with fields of its own."""

    fields: dict[str, Field]


Kind = str | ListOf | MapOf | Block


@dataclass(frozen=True)
class Field:
    """One input.

    Attributes:
        kind: What it must be.
        required: Whether it must be there.
        replace: Whether a change makes a new resource.
        default: What the official plugin fills in; None for nothing.
        allowed: The only values; empty for any.
    """

    kind: Kind
    required: bool = False
    replace: bool = False
    default: Any = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """An input that is not accepted."""

    name: str
    reason: str


@dataclass
class Failures:
    """What is wrong with the inputs of one resource."""

    of: str
    found: list[Failure] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """Note one."""
        self.found.append(Failure(name, reason))

    def check(self, values: dict[str, Any], fields: dict[str, Field], prefix: str = "") -> None:
        """Check values against their fields."""
        for name in values:
            if name not in fields and not name.startswith("__"):
                near = difflib.get_close_matches(name, fields, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                self.add(prefix + name, f"{self.of} has no such argument that is known here{hint}")
        for name, spec in fields.items():
            if name not in values or values[name] is None:
                if spec.required:
                    self.add(prefix + name, f"Missing required argument {name!r} of {self.of}")
                continue
            self._check_kind(prefix + name, values[name], spec.kind)
            if spec.allowed and values[name] is not UNKNOWN and values[name] not in spec.allowed:
                self.add(
                    prefix + name,
                    f"expected {name} to be one of {', '.join(spec.allowed)}, got {values[name]!r}",
                )

    def _check_kind(self, name: str, value: Any, kind: Kind) -> None:  # noqa: C901 - one arm a kind
        if value is UNKNOWN:
            return
        match kind:
            case ListOf(item):
                if not isinstance(value, list):
                    self.add(name, f"must be a list, got {value!r}")
                    return
                for number, part in enumerate(value):
                    self._check_kind(f"{name}[{number}]", part, item)
            case MapOf(item):
                if not isinstance(value, dict):
                    self.add(name, f"must be a map, got {value!r}")
                    return
                for key, part in value.items():
                    self._check_kind(f"{name}.{key}", part, item)
            case Block(fields):
                if not isinstance(value, dict):
                    self.add(name, f"must be an object, got {value!r}")
                    return
                self.check(value, fields, f"{name}.")
            case "any":
                pass
            case _:
                wanted = {"string": str, "integer": int, "boolean": bool}[kind]
                if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
                    self.add(name, f"must be a {kind}, got {value!r}")
