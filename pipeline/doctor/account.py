"""AWS at one place: who we are there, and whether the region is ours to use."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from pipeline import aws
from pipeline.aws import causes
from pipeline.aws.account import Account as AwsAccount
from pipeline.aws.causes import EXPIRED, LATE, SIGNATURE, UNKNOWN
from pipeline.aws.patience import BRIEF
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Place

LONGEST = 300
"""Characters of an error that are shown."""

UNANSWERED = (boto.BotoCoreError, ResponseParserError)
"""What botocore raises where no service answered; a page of a proxy's, say, is no answer."""


@dataclass(frozen=True)
class Identity:
    """Who asks.

    Attributes:
        account: The 12-digit account.
        arn: The identity.
    """

    account: str
    arn: str


class Account:
    """AWS clients of one place, with little patience.

    Args:
        place: The region, and the profile.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._clients: dict[str, Any] = {}

    @property
    def about(self) -> str:
        """How findings call it."""
        return f"account in {self.place}"

    @cached_property
    def aws(self) -> AwsAccount:
        """Its images, channels and machines."""
        return AwsAccount(region=self.place.region, profile=self.place.profile or None, patience=BRIEF)

    def client(self, service: str) -> Any:
        """A client of one service.

        Raises:
            botocore.exceptions.BotoCoreError: The profile or the region is none.
        """
        if service not in self._clients:
            place = self.place
            self._clients[service] = aws.client(
                service, region=place.region, profile=place.profile or None, patience=BRIEF
            )
        return self._clients[service]


def code_of(error: boto.ClientError) -> str:
    """The service's name for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def said(error: Exception) -> str:
    """What an error says, in one line."""
    if isinstance(error, boto.ClientError):
        # Without botocore's preamble.
        return f"{code_of(error)}: {error.response.get('Error', {}).get('Message', '')}"[:LONGEST]
    return " ".join(str(error).split())[:LONGEST]


def who(account: Account) -> tuple[Finding, Identity | None]:
    """Who the credentials are; None if AWS was not reached or does not know them."""
    subject = Subject("credentials", account.about)
    try:
        answer = account.client("sts").get_caller_identity()
    # botocore's ValueError: an endpoint that is no URL. Its RuntimeError: credentials whose end has passed.
    except (boto.ClientError, ValueError, RuntimeError, *UNANSWERED) as error:
        return no_identity(subject, error, account.place), None
    identity = Identity(answer["Account"], answer["Arn"])
    return subject.ok(f"{identity.arn} in account {identity.account}"), identity


def no_identity(subject: Subject, error: Exception, place: Place) -> Finding:
    """Why nobody knows who we are."""
    given = (
        f"the credentials of profile {place.profile}" if place.profile else "the environment's credentials"
    )
    if isinstance(error, boto.ProfileNotFound):
        return subject.fail(
            said(error),
            cause="this machine has no such profile; aws:profile or AWS_PROFILE names it",
            cure="aws:profile in the stack file, or AWS_PROFILE; `aws configure list-profiles` lists what there is",
        )
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError, ResponseParserError, ValueError)):
        return _not_reached(subject, error, place)
    if isinstance(error, RuntimeError):
        return subject.fail(
            said(error), cause=f"{given} have expired", cure="log in again, or renew the token"
        )
    if isinstance(error, boto.ClientError):
        code = code_of(error)
        for codes, cause, cure in (
            (EXPIRED | LATE, f"{given} have expired", "log in again, or renew the token"),
            (
                UNKNOWN,
                f"AWS does not know {given} in {place.region}",
                "check the key, and that the region is enabled",
            ),
            (
                SIGNATURE,
                "the secret key is wrong, or this machine's clock",
                "check AWS_SECRET_ACCESS_KEY and the time",
            ),
        ):
            if code in codes:
                return subject.fail(said(error), cause=cause, cure=cure)
        explained = causes.of(error, region=place.region)
        assert explained is not None  # noqa: S101 - a ClientError is about AWS
        return subject.fail(
            said(error), cause=explained.what.format(purpose="find out who asks"), cure=explained.change
        )
    return subject.fail(
        said(error),
        cause=f"there are no credentials that work: {given}"
        if place.profile
        else "there are no credentials in the environment",
        cure="`aws configure`, `aws sso login`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; in CI, OIDC to a role",
    )


def _not_reached(subject: Subject, error: Exception, place: Place) -> Finding:
    endpoint = next(
        (f"{n}={v}" for n, v in sorted(os.environ.items()) if n.startswith("AWS_ENDPOINT_URL")), None
    )
    if endpoint:
        return subject.fail(
            said(error),
            cause=f"{endpoint.partition('=')[0]} names an endpoint that does not answer as AWS does",
            cure="start what it names, or unset it for AWS itself",
        )
    guess = close_region(place.region)
    if guess is not None:
        return subject.fail(
            said(error),
            cause=f"{place.region} is no region of AWS" + (f"; {guess} is" if guess else ""),
            cure="aws:region in the stack file",
        )
    return subject.fail(
        said(error),
        cause="AWS was not reached from this machine; what answered, if anything did, was not AWS",
        cure="check the network, proxy and name service",
    )


def close_region(region: str) -> str | None:
    """None if botocore knows the region; otherwise the name closest to it, or nothing."""
    from botocore.session import Session  # noqa: PLC0415

    session = Session()
    known = {
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("ec2", partition_name=partition)
    }
    if region in known:
        return None
    return next(iter(difflib.get_close_matches(region, sorted(known), n=1)), "")


def region(account: Account) -> Iterator[Finding]:
    """Whether the region exists, and is enabled in the account."""
    subject = Subject("region", account.about)
    name = account.place.region
    try:
        answer = account.client("ec2").describe_regions(
            AllRegions=True, Filters=[{"Name": "region-name", "Values": [name]}]
        )["Regions"]
    except boto.ClientError as error:
        if code_of(error) != "InvalidParameterValue":
            raise
        answer = []
    found = next((one for one in answer if one["RegionName"] == name), None)
    if found is None:
        guess = close_region(name)
        yield subject.fail(
            name,
            cause="AWS has no such region" + (f"; {guess} is close" if guess else ""),
            cure="aws:region in the stack file",
        )
    elif found.get("OptInStatus") == "not-opted-in":
        yield subject.fail(
            f"{name} is not enabled",
            cause="a region that came after 2019 must be enabled in each account",
            cure=f"aws account enable-region --region-name {name}; or another aws:region in the stack file",
        )
    else:
        yield subject.ok(f"{name} ({found.get('OptInStatus', 'enabled')})")
