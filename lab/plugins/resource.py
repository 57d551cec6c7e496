"""A resource type of a stand-in: its inputs, and its life."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lab.plugins.fields import STRING, Failures, Field
from lab.plugins.wire import UNKNOWN, is_unknown

Values = dict[str, Any]

DEFAULTS = "__defaults"
"""Names of inputs that the plugin filled in; kept among the inputs, as the official bridge does."""

NAME_DIGITS = 7
NAME_LENGTH = 255


@dataclass(frozen=True)
class Change:
    """What a difference of inputs means.

    Attributes:
        names: Inputs that differ.
        replaces: Those of them that make a new resource.
        delete_first: Whether the old one must go before the new one comes.
    """

    names: frozenset[str]
    replaces: frozenset[str]
    delete_first: bool


class InitError(Exception):
    """The resource is there, but did not become what it should be: kept in the state, and an error."""

    def __init__(self, resource_id: str, outputs: Values, reason: str) -> None:
        super().__init__(reason)
        self.resource_id = resource_id
        self.outputs = outputs


@dataclass(frozen=True)
class Call:
    """What an operation may need to know besides values."""

    urn: str
    secrets: frozenset[str] = field(default_factory=frozenset)

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.rsplit("::", 1)[-1]


class Resource:
    """One resource type; subclasses say what it is and talk to the API."""

    token: ClassVar[str]
    fields: ClassVar[dict[str, Field]]
    name_field: ClassVar[str | None] = None
    """Input that gets a name if the program gives none."""
    prefix_field: ClassVar[str | None] = None
    """Input that the name is made from at create, instead."""
    secret_outputs: ClassVar[frozenset[str]] = frozenset()

    def check(self, old: Values, new: Values, call: Call) -> tuple[Values, Failures]:
        """Fill in what the official plugin fills in, and check all of it."""
        inputs = {name: value for name, value in new.items() if value is not None}
        filled = [
            name for name, spec in self.fields.items() if spec.default is not None and name not in inputs
        ]
        inputs |= {name: self.fields[name].default for name in filled}
        if self.name_field and self.name_field not in inputs and self.prefix_field not in inputs:
            # Kept over updates; drawn anew when a replacement is checked without old inputs.
            made = f"{call.name}-{random.token_hex(4)[:NAME_DIGITS]}"[:NAME_LENGTH]
            kept = self.name_field in old.get(DEFAULTS, [])
            inputs[self.name_field] = old[self.name_field] if kept else made
            filled.append(self.name_field)
        failures = Failures(self.token)
        failures.check(inputs, self.fields)
        self.check_more(inputs, failures)
        inputs[DEFAULTS] = sorted(filled)
        return inputs, failures

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """Rules between inputs; none by default."""

    def compared(self, inputs: Values, state: Values) -> Values:
        """What new inputs are compared with: the old ones."""
        del state
        return inputs

    def diff(self, old: Values, new: Values) -> Change:
        """Compare inputs."""
        names = frozenset(
            name for name in self.fields if old.get(name) != new.get(name) or is_unknown(new.get(name))
        )
        replaces = frozenset(name for name in names if self.fields[name].replace)
        explicit = self.name_field is not None and (
            self.name_field in new and self.name_field not in new.get(DEFAULTS, [])
        )
        return Change(names, replaces, delete_first=bool(replaces) and explicit)

    def plan_create(self, inputs: Values) -> Values:
        """Outputs as far as a preview knows them; what is left out is not known yet."""
        return _public(inputs)

    def plan_update(self, state: Values, inputs: Values, changed: frozenset[str]) -> Values:
        """Outputs as far as a preview of an update knows them."""
        del changed
        return {**state, **_public(inputs)}

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """Make it; returns its id and outputs."""
        raise NotImplementedError

    def read(self, resource_id: str, state: Values) -> Values | None:
        """Outputs as they are now; None if it is gone."""
        raise NotImplementedError

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """Change it in place; returns its outputs."""
        raise NotImplementedError

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """Remove it; one that is gone already is not an error."""
        raise NotImplementedError


def _public(inputs: Values) -> Values:
    return {name: value for name, value in inputs.items() if name != DEFAULTS}


def merged(inputs: Values, **outputs: Any) -> Values:
    """Outputs that mirror the inputs."""
    return {**_public(inputs), **outputs}


def unknown(state: Values, *names: str) -> Values:
    """`state` with some outputs not known yet."""
    return {**state, **dict.fromkeys(names, UNKNOWN)}


REGION = Field(STRING, replace=True)
