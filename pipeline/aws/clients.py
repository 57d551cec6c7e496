"""Clients of AWS that all have the same patience, and what botocore raises as one clear error.

botocore is what boto3's clients are; boto3 itself brings S3's transfers with it, which takes as long to import again.
It is imported at the first call: whoever asks nothing does not pay for it. ``AWS_ENDPOINT_URL`` is followed, as by
every AWS client.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.aws import causes
from pipeline.aws.patience import LONG, Patience, apply
from pipeline.errors import PipelineError
from pipeline.model import PointerVersion

if TYPE_CHECKING:
    from collections.abc import Generator


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
    from botocore.config import Config  # noqa: PLC0415
    from botocore.session import Session  # noqa: PLC0415

    config = Config(
        connect_timeout=patience.connect,
        read_timeout=patience.read,
        retries={"mode": "standard", "total_max_attempts": 1},
    )
    made = Session(profile=profile).create_client(service, region_name=region, config=config)
    apply(made, patience)
    return made


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
            description=entry.get("Description", ""),
            labels=tuple(entry.get("Labels", ())),
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
