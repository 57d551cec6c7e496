"""Somebody who uses the machines behind a target group all the time, and counts what comes back.

The lab's load balancer makes health checks and passes no requests on. So the client does what one would do for it: it
asks the machines that DescribeTargetHealth calls healthy at that moment, one after the other.
"""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from lab import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.settings import LabSettings

THREADS = 8
"""An answer that is late keeps no other request from being made."""

ANSWER_SECONDS = 5.0
"""A client waits this long for an answer."""


@dataclass
class Count:
    """What a client has seen.

    Attributes:
        answers: Answers with status 200.
        again: Requests that were made once more, because the load balancer let go of the machine meanwhile: it would
            have waited for their answers before it let the machine go.
        failed: Of each request without such an answer: when, and what came instead.
    """

    answers: int = 0
    again: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def asked(self) -> int:
        """How many requests were made, those that were made twice as one."""
        return self.answers + len(self.failed)

    def __str__(self) -> str:
        again = f", {self.again} asked twice" if self.again else ""
        return f"{self.asked} answers, {len(self.failed)} failed{again}"


@contextmanager
def traffic(
    settings: LabSettings, target_group: str, path: str = "/health", *, rate: float = 10.0
) -> Iterator[Count]:
    """Ask the machines of a target group for a path, `rate` times a second, until the end of the block.

    Args:
        settings: A lab that is up.
        target_group: ARN of the target group.
        path: What to ask for.
        rate: Requests a second.
    """
    client = _Client(settings, target_group, path)
    ended = threading.Event()
    asked: list[Future[None]] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="client") as pool:

        def ask() -> None:
            due = time.monotonic()
            while not ended.wait(max(0.0, due - time.monotonic())):
                asked.append(pool.submit(client.ask))
                due += 1 / rate

        clock = threading.Thread(target=ask, name="client", daemon=True)
        clock.start()
        try:
            yield client.count
        finally:
            ended.set()
            clock.join()
    for one in asked:
        one.result()  # what went wrong in the client itself is not an answer of a machine


class _Client:
    def __init__(self, settings: LabSettings, target_group: str, path: str) -> None:
        self.count = Count()
        self._balancing = environment.client(settings, "elbv2", environment.ONLOOKER)
        self._ec2 = environment.client(settings, "ec2", environment.ONLOOKER)
        self._target_group = target_group
        self._path = path
        self._turn = itertools.count()
        self._lock = threading.Lock()
        self._addresses: dict[str, str] = {}
        # Each request has a connection of its own; one that is kept would break with its machine.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(timeout=ANSWER_SECONDS, trust_env=False, limits=limits)

    def ask(self) -> None:
        """Make one request, and count its result."""
        machine, why = self._asked()
        if why is not None and machine is not None and machine not in self._healthy():
            with self._lock:
                self.count.again += 1
            machine, why = self._asked()
        with self._lock:
            if why is None:
                self.count.answers += 1
            else:
                self.count.failed.append(f"{time.strftime('%H:%M:%S')} {machine or 'no machine'}: {why}")

    def _asked(self) -> tuple[str | None, str | None]:
        """Which machine was asked, and what came instead of a good answer; None if it was good."""
        healthy = self._healthy()
        if not healthy:
            return None, "the target group has no healthy machine"
        machine = healthy[next(self._turn) % len(healthy)]
        try:
            address = self._address(machine)
            if address is None:
                return machine, "it has ended"
            answer = self._http.get(f"http://{address}{self._path}")
        except httpx.HTTPError as error:
            return machine, f"{type(error).__name__}: {error}"
        return machine, None if answer.status_code == httpx.codes.OK else f"status {answer.status_code}"

    def _healthy(self) -> list[str]:
        found: list[dict[str, Any]] = self._balancing.describe_target_health(
            TargetGroupArn=self._target_group
        )["TargetHealthDescriptions"]
        return sorted(one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] == "healthy")

    def _address(self, instance_id: str) -> str | None:
        if instance_id not in self._addresses:
            found = self._ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
            if "PrivateIpAddress" not in found:
                return None
            self._addresses[instance_id] = found["PrivateIpAddress"]
        return self._addresses[instance_id]
