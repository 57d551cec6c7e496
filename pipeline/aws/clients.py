"""Clients of AWS that all have the same patience, and what botocore raises as one clear error.

botocore is what boto3's clients are; boto3 itself brings S3's transfers with it, which takes as long to import again.
It is imported at the first call: a program that asks nothing does not pay for it. ``AWS_ENDPOINT_URL`` is followed, as
by every AWS client.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.aws import causes
from pipeline.aws.patience import LONG, SHORT, Patience, apply
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager


def client(
    service: str,
    *,
    region: str,
    profile: str | None = None,
    patience: Patience = LONG,
) -> Any:
    """A client of one service.

    A call that was throttled, met a server's fault, or got no answer or none that can be read, is made again until
    the patience ends. A lost answer may belong to a call that did its work: callers make only calls that may be made
    twice, or look afterwards.

    Args:
        service: Such as ``ec2``.
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
        patience: How long a call may take in all.
    """
    from botocore.config import Config
    from botocore.session import Session

    config = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    made = Session(profile=profile).create_client(service, region_name=region, config=config)
    apply(made, patience)
    return made


@contextmanager
def asking(purpose: str, *, region: str, profile: str | None = None) -> Generator[None]:
    """Turn what botocore raises into an error that says what was wanted and how AWS was reached.

    Args:
        purpose: Such as ``look images up``.
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.

    Raises:
        PipelineError: AWS refused, or was not reached.
    """
    try:
        yield
    except Exception as error:
        explained = explain(purpose, error, region=region, profile=profile)
        if explained is None:
            raise
        raise explained from error


def explain(
    purpose: str, error: Exception, *, region: str, profile: str | None = None
) -> PipelineError | None:
    """The error for a call that AWS did not answer as it should; None if this is not about AWS.

    Args:
        purpose: Such as ``look images up``.
        error: What was raised.
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
    """
    cause = causes.of(error, region=region, profile=profile)
    if cause is None:
        return None
    return PipelineError(
        cause.what.format(purpose=purpose), seen=cause.seen, allowed=cause.allowed, change=cause.change
    )


class Session:
    """How one region of an account is reached, and its clients: each is made at the first call of its service.

    Args:
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
        patience: How long a call may take in all.
    """

    def __init__(self, *, region: str, profile: str | None = None, patience: Patience = SHORT) -> None:
        self.region = region
        self._profile = profile
        self._patience = patience
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """The client of one service.

        Raises:
            PipelineError: The profile or the region does not exist.
        """
        if service not in self._clients:
            with self.asking("open a session"):
                self._clients[service] = client(
                    service, region=self.region, profile=self._profile, patience=self._patience
                )
        return self._clients[service]

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> list[Any]:
        """All that an operation lists under a key, from every page of its answer.

        Raises:
            botocore.exceptions.BotoCoreError: AWS was not reached; or a ClientError, as it refused.
        """
        pages = self.client(service).get_paginator(operation).paginate(**arguments)
        return [found for page in pages for found in page[key]]

    def asking(self, purpose: str) -> AbstractContextManager[None]:
        """As `asking`, for this region and profile."""
        return asking(purpose, region=self.region, profile=self._profile)


class Service:
    """A part of one account and region.

    Args:
        session: How AWS is reached.

    Raises:
        PipelineError: From each method of the classes that are made from this one: AWS was not reached, or refused.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
