"""Reads may show the account as it was before the last writes."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from lab import account
from lab.manners.base import Manner

if TYPE_CHECKING:
    from lab.manners import Choice
    from lab.manners.base import Answer, Call, Plane

READS = frozenset({
    "DescribeImages",
    "DescribeInstanceRefreshes",
    "DescribeInstances",
    "DescribeParameters",
    "DescribeScalingActivities",
    "DescribeTags",
    "GetParameter",
    "GetParameterHistory",
    "GetParameters",
    "GetParametersByPath",
})  # fmt: skip
CHANCE = 0.25
"""How many of these reads lag at all."""

SECONDS = 2.0
SECONDS_BY_ID = 1.0
"""How far a read may lag; one that names ids, at most so far: what was just made is not found."""

FOUND = (b"InvalidAMIID.NotFound", b"AutoScalingGroup name not found")
"""Refusals of reads that do not lag: what they are about is found from the beginning."""


@dataclass(frozen=True)
class Past:
    """The account as it was.

    Attributes:
        until: When it ceased to be so (`time.monotonic`).
        state: What `account.dump` gave.
    """

    until: float
    state: bytes

    @cached_property
    def backends(self) -> Any:
        """Moto's objects."""
        return account.restore(self.state)


class StaleReads(Manner):
    """Some reads lag behind the writes by up to two seconds; an id just made may not be found for one.

    "The Amazon EC2 API follows an eventual consistency model ... the result of an API command you run that affects
    your Amazon EC2 resources might not be immediately visible to all subsequent commands you run. ... If the resource
    is not found: InvalidInstanceID.NotFound" (EC2 developer guide, "Eventual consistency in the Amazon EC2 API").
    Auto Scaling publishes no model; the lab takes the same for its lists of refreshes and activities, so that nobody
    counts on a refresh that was just started to be in the list. A group itself does not lag: the AWS provider reads it
    once after each create and update, and is not known to fail at it.
    Parameter Store's reads lag as well: aws/aws-sdk-js issue 3586 "returns the old version", aws/aws-cdk-cli issue 830.
    DescribeTags of one resource does not lag: the AWS provider reads so once after each CreateTags of an aws:ec2:Tag,
    does not try again, and is not known to fail at it. Nor is an image ever not found: the waiter ImageAvailable of
    AWS's SDK 2 for Go, unlike that for instances, takes it for the end (api_op_DescribeImages.go,
    imageAvailableStateRetryable), and a Packer that waits with it would fail at one bake in ten.
    """

    name: ClassVar[str] = "stale-reads"

    def __init__(self, plane: Plane, choice: Choice) -> None:
        super().__init__(plane, choice)
        self._pasts: deque[Past] = deque()
        self._state = b""

    def before(self, call: Call) -> None:
        """Keep the account as it is now."""
        del call
        self._state = account.dump()

    def after(self, call: Call, answer: Answer) -> Answer:
        """It was so until now."""
        del call
        now = time.monotonic()
        self._pasts.append(Past(now, self._state))
        while self._pasts[0].until < now - SECONDS:
            self._pasts.popleft()
        return answer

    def lag(self) -> float:
        """Until the last change is as old as a read may be."""
        with self.plane.lock:
            return max(self._pasts[-1].until + SECONDS - time.monotonic(), 0.0) if self._pasts else 0.0

    def forget(self) -> None:
        """A read does not lag behind a move of the time, and what it once showed had other times."""
        with self.plane.lock:
            self._pasts.clear()

    def instead(self, call: Call) -> Answer | None:
        """Some reads are answered from the past."""
        if call.action not in READS or (
            call.action == "DescribeTags" and "resource-id" in call.arguments.values()
        ):
            return None
        chance = self.chance(call.action)
        if chance.random() >= CHANCE:
            return None
        by_id = any(name.startswith(("ImageId", "InstanceId")) for name in call.arguments)
        then = time.monotonic() - chance.uniform(0.0, SECONDS_BY_ID if by_id else SECONDS)
        with self.plane.lock:
            past = next((past for past in self._pasts if past.until > then), None)
            if past is None:
                return None
            with account.as_it_was(past.backends):
                answer = self.plane.ask(call.again())
        body = b"".join(answer[1])
        return None if any(refusal in body for refusal in FOUND) else answer
