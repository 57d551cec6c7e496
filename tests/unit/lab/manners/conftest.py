"""Clients of the paper lab, and its manners by name."""

from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from lab import environment, settings


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
