"""Clients of AWS that all have the same patience, and what botocore raises as one clear error.

botocore is what boto3's clients are; boto3 itself brings S3's transfers with it, which takes as long to import again.
It is imported at the first call: whoever asks nothing does not pay for it. ``AWS_ENDPOINT_URL`` is followed, as by
every AWS client.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.model import PointerVersion

if TYPE_CHECKING:
    from collections.abc import Generator

CONNECT_SECONDS = 5
READ_SECONDS = 30
ATTEMPTS = 8
"""Calls in all. botocore's standard mode waits at most 1, 2, 4, 8, 16, 20 … seconds between them, after throttling, a
server's fault, or an answer that was lost."""


def client(service: str, *, region: str, profile: str | None = None, attempts: int = ATTEMPTS) -> Any:
    """A client of one service.

    Args:
        service: Such as ``ec2``.
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
        attempts: Calls in all, where one would rather know soon.
    """
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )
    return Session(profile=profile).create_client(service, region_name=region, config=config)


def parameter_history(ssm: Any, name: str) -> list[PointerVersion]:
    """What a parameter of SSM has held, newest first; empty if there is none. SSM keeps the last 100 versions."""
    try:
        pages = list(ssm.get_paginator("get_parameter_history").paginate(Name=name))
    except ssm.exceptions.ParameterNotFound:
        return []
    versions = [
        PointerVersion(
            version=entry["Version"],
            image_id=entry["Value"],
            when=entry["LastModifiedDate"],
            by=entry.get("LastModifiedUser", ""),
        )
        for page in pages
        for entry in page["Parameters"]
    ]
    return sorted(versions, key=lambda entry: entry.version, reverse=True)


def launch_subnet(ec2: Any, subnet_id: str | None) -> Any:
    """The subnet of that id as EC2 describes it; without an id the first default subnet by zone; or None."""
    wanted = ("subnet-id", subnet_id) if subnet_id else ("default-for-az", "true")
    answer = ec2.describe_subnets(Filters=[{"Name": wanted[0], "Values": [wanted[1]]}])
    return min(answer["Subnets"], key=lambda subnet: subnet["AvailabilityZone"], default=None)


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
        told = _unanswered(purpose, error, region=region, profile=profile)
        if told is None:
            raise
        raise told from error


def _unanswered(purpose: str, error: Exception, *, region: str, profile: str | None) -> PipelineError | None:
    """The error for a call that AWS did not answer as it should; None if this is not about AWS."""
    # Whoever has not imported it cannot have raised it.
    botocore = sys.modules.get("botocore.exceptions")
    if botocore is None or not isinstance(error, (botocore.ClientError, botocore.BotoCoreError)):
        return None
    if isinstance(error, botocore.ClientError):
        return PipelineError(
            f"AWS refused to {purpose}",
            seen=str(error),
            allowed=f"credentials that may do it in {region}",
            change="the credentials in the environment, or aws:profile and aws:region in the stack file",
        )
    if isinstance(error, (botocore.ConnectionError, botocore.HTTPClientError)):
        return PipelineError(
            f"could not {purpose}: AWS was not reached",
            seen=str(error),
            allowed="an endpoint that answers",
            change="start what AWS_ENDPOINT_URL names, or unset it for AWS itself; check aws:region",
        )
    return PipelineError(
        f"could not {purpose}",
        seen=str(error),
        allowed=f"working credentials for {region}" + (f" in profile {profile}" if profile else ""),
        change="the credentials in the environment, or aws:profile and aws:region in the stack file",
    )
