"""Who called what: the lab's own CloudTrail, in memory.

Tests count a preview's calls with it, and hold the IAM policies against those of a whole run.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

KEPT = 100_000

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/[^/]+/([^/]+)/aws4_request")


@dataclass(frozen=True)
class Caller:
    """What a request's signature (AWS Signature Version 4) says.

    Attributes:
        key: The access key id.
        service: The service that was signed for, such as ``ec2``.
    """

    key: str
    service: str

    @classmethod
    def of(cls, environ: dict[str, Any]) -> Caller:
        """Read the Authorization header; both empty in a request that is not signed."""
        found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        return cls(found[1], found[2]) if found else cls("", "")


@dataclass(frozen=True)
class CallRecord:
    """One call.

    Attributes:
        key: Access key id of the caller.
        service: Such as ``ec2``.
        action: Such as ``DescribeImages``.
        status: The answer's HTTP status; 0 if the caller never got one.
        dry: Whether it was a dry run.
    """

    key: str
    service: str
    action: str
    status: int
    dry: bool = False


class CallLog:
    """The calls since it was cleared, the last `KEPT` of them."""

    def __init__(self) -> None:
        self._records: deque[CallRecord] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def add(self, caller: Caller, action: str, status: int, *, dry: bool = False) -> None:
        """Write a call down."""
        with self._lock:
            self._records.append(CallRecord(caller.key, caller.service, action, status, dry))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._records.clear()

    def rows(self) -> list[dict[str, Any]]:
        """All of them, the oldest first."""
        with self._lock:
            return [asdict(record) for record in self._records]
