"""What a manner is, and what it sees of the control plane."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from lab.calls import Caller
    from lab.dataplane import DataPlane
    from lab.manners import Choice
    from lab.manners.later import Later

Answer = tuple[list[Any], list[bytes]]
"""Status line and headers, and the body."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request.

    Attributes:
        caller: Who signed it.
        action: Such as ``DescribeImages``.
        arguments: What it was called with, in either protocol: a query's fields by their flat names.
        form: The fields of a query-protocol request.
        environ: The request (PEP 3333).
        json_protocol: Whether it was asked in JSON.
    """

    caller: Caller
    action: str
    arguments: Mapping[str, Any]
    form: dict[str, list[str]]
    environ: dict[str, Any]
    json_protocol: bool
    _body: bytes = field(init=False)
    _first: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        body = self.environ["wsgi.input"].read()
        self.environ["wsgi.input"] = io.BytesIO(body)
        object.__setattr__(self, "_body", body)
        object.__setattr__(self, "_first", dict(self.environ))

    @property
    def dry(self) -> bool:
        """Whether EC2 is only asked if the caller may (DryRun)."""
        return self.form.get("DryRun") == ["true"]

    def again(self) -> Call:
        """The same request, not yet read by anybody."""
        environ = {**self._first, "wsgi.input": io.BytesIO(self._body)}
        return Call(
            caller=self.caller, action=self.action, arguments=self.arguments, form=dict(self.form),
            environ=environ, json_protocol=self.json_protocol,
        )  # fmt: skip


class Plane(Protocol):
    """The control plane, as a manner uses it."""

    lock: threading.RLock
    later: Later
    machines: DataPlane

    def ask(self, call: Call) -> Answer:
        """What moto answers; neither the machines nor the kept state follow."""

    def carry_out(self, call: Call) -> Answer:
        """Do it in full, and answer."""

    def save(self) -> None:
        """Keep the account as it is now."""

    def allowed(self, caller: Caller, action: str) -> bool:
        """Whether somebody may call a read-only action."""


class Manner:
    """Something that AWS does and that a kinder EC2 would not.

    `refusal` is asked first, and what it refuses counts for nothing, nor for a rule of `lab.faults`. `instead` may
    answer in its place; `before` and `after` see each call that changes something, with the control plane's lock held
    and before the machines follow.

    Args:
        plane: The control plane.
        choice: Which manners are on, and the seed of all chance.
    """

    name: ClassVar[str]

    def __init__(self, plane: Plane, choice: Choice) -> None:
        self.plane = plane
        self._seed = choice.seed
        self._drawn: dict[str, int] = {}

    def begin(self) -> None:
        """It is on from now."""

    def end(self) -> None:
        """It is off from now."""

    def refusal(self, call: Call) -> Answer | None:
        """The answer to a call that is not looked at any further; None lets it go on."""
        del call
        return None

    def lag(self) -> float:
        """Seconds from now on for which an answer may still not show all that has been done."""
        return 0.0

    def settle(self) -> None:
        """Return once what it has put off is done; the control plane's lock is not held."""

    def forget(self) -> None:
        """Time has been moved: what was a moment ago is long ago."""

    def instead(self, call: Call) -> Answer | None:
        """The answer to a call, if this manner gives it; None lets the call go on."""
        del call
        return None

    def before(self, call: Call) -> None:
        """A call is about to be carried out."""

    def after(self, call: Call, answer: Answer) -> Answer:
        """It has been; returns the answer that goes out."""
        del call
        return answer

    def chance(self, of: str) -> random.Random:
        """The next draw of a kind: does not depend on how often others were drawn."""
        count = self._drawn[of] = self._drawn.get(of, 0) + 1
        return random.Random(f"{self._seed}:{self.name}:{of}:{count}")  # not a secret
