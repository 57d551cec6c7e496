"""Requests are counted, and refused when they come too fast."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from lab import faults
from lab.manners.base import Manner

if TYPE_CHECKING:
    from lab.manners import Choice
    from lab.manners.base import Answer, Call, Plane


@dataclass(kw_only=True)
class Bucket:
    """Tokens that calls take and that time brings back.

    Attributes:
        size: How many there are at most.
        refill: How many come back a second.
    """

    size: float
    refill: float
    tokens: float = -1.0
    since: float = 0.0

    def take(self, now: float) -> bool:
        """Take one; False if none is left."""
        if self.tokens < 0:
            self.tokens, self.since = self.size, now
        self.tokens = min(self.size, self.tokens + (now - self.since) * self.refill)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


READS = re.compile(r"^(Describe|Get|List)")
NARROW = re.compile(r"^(Filter\.|MaxResults|NextToken|\w+Id(s)?(\.|$))")
"""What makes a list shorter than all there is."""

LISTS = (50, 10)
EC2_READS = (100, 20)
EC2_WRITES = (50, 5)
EC2_SINGLE = {"RunInstances": (5, 2), "StartInstances": (5, 2)}
SSM_VALUES = (40, 40)
SSM_SHARED = frozenset({"GetParameter", "GetParameters", "GetParametersByPath"})
SSM_WRITES = (10, 10)
SSM_OTHERS = (10, 5)


class Throttling(Manner):
    """Each EC2 action has a bucket of tokens; SSM's actions have few calls a second.

    "The token bucket size for [DescribeHosts], a non-mutating API action is 100 tokens, and the refill rate is 20
    tokens per second"; 50 and 10 for one that is neither filtered nor paginated, 50 and 5 for mutating ones, 5 and 2
    for RunInstances; RequestLimitExceeded (EC2 developer guide, "Request throttling for the Amazon EC2 API"). Parameter
    Store: 40 a second for values, fewer for all else; ThrottlingException, "Rate exceeded" (Systems Manager endpoints
    and quotas; AWS re:Post, "ssm-parameter-store-rate-exceeded").
    """

    name: ClassVar[str] = "throttling"

    def __init__(self, plane: Plane, choice: Choice) -> None:
        super().__init__(plane, choice)
        self._buckets: dict[str, Bucket] = {}

    def refusal(self, call: Call) -> Answer | None:
        """A refusal, if no token is left."""
        if call.caller.service not in {"ec2", "ssm"}:
            return None
        name, (size, refill) = _bucket_of(call)
        with self.plane.lock:
            bucket = self._buckets.setdefault(name, Bucket(size=size, refill=refill))
            if bucket.take(time.monotonic()):
                return None
        if call.json_protocol:
            return faults.error("ThrottlingException", "Rate exceeded", status=400, json_protocol=True)
        return faults.error(
            "RequestLimitExceeded", "Request limit exceeded.", status=503, json_protocol=False
        )


def _bucket_of(call: Call) -> tuple[str, tuple[float, float]]:
    """Whose tokens a call takes: name, size and refill."""
    action = call.action
    if call.caller.service == "ssm":
        if action in SSM_SHARED:
            return "ssm values", SSM_VALUES
        return f"ssm {action}", SSM_WRITES if action == "PutParameter" else SSM_OTHERS
    if not READS.match(action):
        return f"ec2 {action}", EC2_SINGLE.get(action, EC2_WRITES)
    if any(NARROW.match(name) for name in call.arguments):
        return f"ec2 {action}", EC2_READS
    return f"ec2 {action}, all", LISTS
