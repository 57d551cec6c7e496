"""Clients of the paper lab, its manners by name, and its time."""

import threading
from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from lab import controlplane, environment, settings
from lab.manners import late_parameters, later, old_console, pending, stale_reads, throttling


class Clock:
    """The time of the manners, in the place of the module `time`: it goes on only when it is told to."""

    def __init__(self) -> None:
        self._now = 0.0
        self._later: later.Later | None = None

    def monotonic(self) -> float:
        return self._now

    def later(self) -> later.Later:
        self._later = later.Later()
        return self._later

    def advance(self, seconds: float) -> None:
        """Let time go on; returns when all that was due by then has been done."""
        assert self._later is not None
        self._now += seconds
        done = threading.Event()
        self._later.at(self._now, done.set)
        assert done.wait(60)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """No test depends on how fast the machine is."""
    clock = Clock()
    for module in (late_parameters, later, old_console, pending, stale_reads, throttling):
        monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(controlplane, "Later", clock.later)
    return clock


@pytest.fixture
def ec2(clock: Clock, ec2: Any) -> Any:
    """A client of a lab whose machines are of paper and whose manners' time stands still."""
    del clock
    return ec2


@pytest.fixture
def client(ec2: Any) -> Callable[..., Any]:
    """Makes a client that calls once; the onlooker's if asked."""

    def make(service: str, key: str = environment.KEY) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=ec2.meta.endpoint_url,
            region_name=settings.REGION,
            aws_access_key_id=key,
            aws_secret_access_key="lab",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return make


@pytest.fixture
def manners(ec2: Any) -> Callable[..., None]:
    """Sets the manners of the paper lab."""

    def choose(*names: str, seed: int = 1) -> None:
        body = {"names": names, "seed": seed}
        httpx.put(f"{ec2.meta.endpoint_url}/lab-api/manners", json=body).raise_for_status()

    return choose
