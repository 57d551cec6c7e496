"""How long a call to AWS is tried again, by time; and whether what came back is an answer of AWS at all.

botocore's own retries count calls, and wait little between those that met a server's fault (0.05 s, doubled each time):
eight of them are over after six seconds, while the provider of the same update waits for minutes. It does not try again
at all where a body was cut short, or where a proxy answered with a page of its own. This module therefore registers
handlers of its own with a client: for ``needs-retry`` and ``before-parse`` (botocore/endpoint.py).
"""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.aws.causes import out_of_order, throttled
from pipeline.log import log

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 20.0
SAID_AFTER_SECONDS = 10.0
"""After this long a waiting call says so, once, on standard error."""

UNREADABLE = "UnreadableAnswer"
"""The error code for an answer that is not in the service's protocol."""

_BEGAN, _SAID = "golden-image-began", "golden-image-said"
_ROOT = re.compile(rb"\s*(?:<\?xml[^>]*\?>\s*)?<([A-Za-z]*Response)[\s/>]")
_SHOWN = 200


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a call may take in all.

    Attributes:
        seconds: From the first try on; a try that fails later than this is the last one.
        connect: Seconds to wait for a connection, each time.
        read: Seconds to wait for an answer, each time.
    """

    seconds: float
    connect: float = 5
    read: float = 30


LONG = Patience(seconds=180)
"""For the steps of an update, which would leave something half done."""
SHORT = Patience(seconds=20, read=12)
"""For previews and commands: somebody sits and waits. An endpoint that never answers is given up after 25 seconds."""
BRIEF = Patience(seconds=5, read=10)
"""For the doctor, which asks much and reports at once what AWS did not answer."""


def apply(client: Any, patience: Patience) -> None:
    """Give a client of botocore a patience; its own retries must be off (``total_max_attempts`` of 1)."""
    again = _Again(patience)
    events = client.meta.events
    events.register("before-call", again.begin)
    events.register("before-parse", mark_unreadable)
    events.register("needs-retry", again.decide)
    events.register("after-call", _raise_unreadable)


class _Again:
    """Decides whether a call is made again, and when."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience

    def begin(self, context: dict[str, Any], **_: Any) -> None:
        """A call begins."""
        context[_BEGAN] = time.monotonic()

    def decide(
        self,
        *,
        response: tuple[Any, Mapping[str, Any]] | None,
        operation: Any,
        attempts: int,
        caught_exception: Exception | None,
        request_dict: Mapping[str, Any],
        **_: Any,
    ) -> float | None:
        """Seconds until the call is made again, or None if what came is its end."""
        problem = _passing(response, caught_exception)
        if problem is None:
            return None
        context = request_dict["context"]
        passed = time.monotonic() - context[_BEGAN]
        # At least half of it, so that few calls do not use up the time at once.
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** (attempts - 1)) * random.uniform(0.5, 1)
        left = self._patience.seconds - passed
        if left <= 0:
            return None
        if passed > SAID_AFTER_SECONDS and _SAID not in context:
            context[_SAID] = True
            log("AWS", f"{operation.name} is tried again for {left:.0f} s: {problem}")
        return float(min(wait, left))


def _passing(response: tuple[Any, Mapping[str, Any]] | None, caught: Exception | None) -> str | None:
    """What is wrong, if it may pass; None if the call went well, or if asking again would change nothing."""
    if response is None:
        from botocore.exceptions import ConnectionError as Unconnected
        from botocore.exceptions import HTTPClientError

        return str(caught) if isinstance(caught, (Unconnected, HTTPClientError)) else None
    http, parsed = response
    error = parsed.get("Error", {})
    code = str(error.get("Code", ""))
    unreadable = code == UNREADABLE and not 400 <= http.status_code < 500
    if throttled(code, http.status_code) or out_of_order(code, http.status_code) or unreadable:
        return f"{code}: {error.get('Message', '')}"
    return None


def mark_unreadable(
    *, operation_model: Any, response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Turn an answer that is not in the service's protocol into an error, before botocore trips over it."""
    status, body = response_dict["status_code"], response_dict["body"]
    if not isinstance(body, bytes) or _readable(operation_model, body, status=status):
        return
    kind = response_dict["headers"].get("content-type", "no content type")
    customized_response_dict["Error"] = {
        "Code": UNREADABLE,
        "Message": f"status {status}, {kind}, {len(body)} bytes: {_beginning(body)}",
    }
    # What botocore's parsers take without reading it.
    response_dict["status_code"], response_dict["body"] = 502, b""


def _readable(operation: Any, body: bytes, *, status: int) -> bool:
    protocol = operation.service_model.resolved_protocol
    if protocol in ("ec2", "query"):
        found = _ROOT.match(body)
        return (found is not None and body.rstrip().endswith(b"</" + found[1] + b">")) or _empty(body, status)
    if protocol == "json":
        return _is_object(operation, body, status=status) or _empty(body, status)
    return True


def _empty(body: bytes, status: int) -> bool:
    """An error without a word is read by its status."""
    return not body.strip() and status >= 300


def _is_object(operation: Any, body: bytes, *, status: int) -> bool:
    """Whether it is a JSON object that has at least one member that the operation answers with, or none at all."""
    if not body and operation.output_shape is None:
        return True
    try:
        found = json.loads(body)
    except ValueError:
        return False
    if not isinstance(found, dict):
        return False
    known = operation.output_shape.members if operation.output_shape is not None else {}
    return status >= 300 or not found or not found.keys().isdisjoint(known)


def _beginning(body: bytes) -> str:
    text = body[:_SHOWN].decode(errors="replace")
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()) or "nothing"


def _raise_unreadable(*, parsed: Mapping[str, Any], **_: Any) -> None:
    error = parsed.get("Error", {})
    if error.get("Code") == UNREADABLE:
        from botocore.parsers import ResponseParserError

        raise ResponseParserError(error["Message"])
