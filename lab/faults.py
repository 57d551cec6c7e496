"""Faults of the API on demand: what AWS does on a bad day, for the tests of what the program then does."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "error", "throttled", "html", "cut", "lost", "ignored", "hold", "dropped", "kept", "no-capacity"
]
ANY = "*"
"""As an action: every call of AWS's API."""

NO_CAPACITY = (
    "We currently do not have sufficient capacity of the instance type in the Availability Zone you requested. Our "
    "system will be working on provisioning additional capacity."
)

HOLD_SECONDS = 120.0
"""How long a held call waits at the most for its rule to be taken away."""


@dataclass
class Fault:
    """A rule: what happens to the next calls of an action.

    Attributes:
        action: Such as ``CreateTags``; `ANY` for all.
        kind: ``error``: refused, nothing is done. ``throttled``: the same, in the service's own words for it.
            ``html``: a proxy answers with a page of its own and status 200, nothing is done. ``cut``: done, but half of
            the answer's body is missing. ``lost``: done, but the connection breaks before the answer.
            ``ignored``: answered as if done, as SSM does with an image id that it rejects afterwards.
            ``hold``: waits until the rule is taken away, then goes on as ever. ``dropped``: waits likewise, then the
            connection breaks and nothing is done. ``kept``: done at once, but the answer waits likewise.
            ``no-capacity``: EC2 has no such machine free at the moment (InsufficientInstanceCapacity); for the launches
            of groups alone with the key of `environment.AUTO_SCALING`.
        times: How many calls it strikes.
        after: How many calls of the action it lets pass first.
        key: Access key id of the callers that it counts and strikes; all if empty.
        code: AWS's error code, for ``error``.
        status: HTTP status, for ``error``.
    """

    action: str
    kind: Kind
    times: int = 1
    after: int = 0
    key: str = ""
    code: str = "InternalError"
    status: int = 400

    @classmethod
    def of(cls, values: dict[str, Any]) -> Fault:
        """A rule from JSON.

        Raises:
            ValueError: The kind is not known.
        """
        fault = cls(**values)
        if fault.kind not in get_args(Kind):
            raise ValueError(f"{fault.kind!r} is not one of {', '.join(get_args(Kind))}")
        return fault

    def strikes(self, action: str, key: str) -> bool:
        """Whether a call counts for it."""
        return self.action in {action, ANY} and self.key in {"", key} and self.times > 0


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._changed = threading.Condition()
        self.struck: list[str] = []

    def set(self, rules: list[Fault]) -> None:
        """Replace all rules; held calls whose rule is gone go on."""
        with self._changed:
            self._rules = rules
            self.struck.clear()
            self._changed.notify_all()

    def strike(self, action: str, key: str) -> Fault | None:
        """The rule that a call meets now, or None; a held call returns when it may go on."""
        with self._changed:
            matching = [rule for rule in self._rules if rule.strikes(action, key)]
            rule = next((rule for rule in matching if rule.after == 0), None)
            for waiting in matching:
                waiting.after -= waiting.after > 0
            if rule is None:
                return None
            rule.times -= 1
            self.struck.append(action)
            if rule.kind in {"hold", "dropped"}:
                self._wait(rule)
            return None if rule.kind == "hold" else rule

    def keep(self, rule: Fault) -> None:
        """Return when an answer may go."""
        with self._changed:
            self._wait(rule)

    def _wait(self, rule: Fault) -> None:
        # By value: rules that are set anew with one as it now stands keep its call.
        self._changed.wait_for(lambda: rule not in self._rules, HOLD_SECONDS)


def refusal(fault: Fault, action: str, *, json_protocol: bool) -> tuple[list[Any], list[bytes]]:
    """What a rule answers in place of the call, in the words of the protocol that was asked in."""
    text = f"a rule of the lab answers {action} so"
    if fault.kind == "html":
        page = f"<!DOCTYPE html><html><head><meta charset=utf-8></head><body>{text}<br></body></html>"
        return ["200 OK", [("Content-Type", "text/html")]], [page.encode()]
    if fault.kind == "no-capacity":
        # EC2 API reference, error codes of the server.
        return error("InsufficientInstanceCapacity", NO_CAPACITY, status=500, json_protocol=json_protocol)
    if fault.kind == "throttled":
        # EC2's code and status, then those of services that speak JSON.
        code, status = ("ThrottlingException", 400) if json_protocol else ("RequestLimitExceeded", 503)
        return error(code, text, status=status, json_protocol=json_protocol)
    return error(fault.code, text, status=fault.status, json_protocol=json_protocol)


def cut(answer: tuple[list[Any], list[bytes]]) -> tuple[list[Any], list[bytes]]:
    """An answer without the second half of its body, and with a length that says nothing of it."""
    (status, headers), body = answer
    whole = b"".join(body)
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return [status, kept], [whole[: len(whole) // 2]]


def error(code: str, message: str, *, status: int, json_protocol: bool) -> tuple[list[Any], list[bytes]]:
    """AWS's error in the words of the protocol that was asked in."""
    first = f"{status} Fault"
    if json_protocol:
        body = json.dumps({"__type": code, "message": message}).encode()
        return [first, [("Content-Type", "application/x-amz-json-1.1")]], [body]
    text = (
        f"<?xml version='1.0'?><Response><Errors><Error><Code>{code}</Code><Message>{message}</Message>"
        "</Error></Errors><RequestID>lab</RequestID></Response>"
    )
    return [first, [("Content-Type", "text/xml")]], [text.encode()]


def break_connection(environ: dict[str, Any]) -> None:
    """Close a request's connection under it: the caller never learns what came of its call."""
    with contextlib.suppress(OSError):
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
