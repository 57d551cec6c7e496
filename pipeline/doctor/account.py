"""The credentials: whose they are, and how long they last."""

from __future__ import annotations

import difflib
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.aws.account import Account as AwsAccount
from pipeline.aws.patience import BRIEF
from pipeline.doctor.findings import Subject
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

NEEDED = timedelta(minutes=90)
"""A bake may last for an hour, unless a stack says otherwise, and the validation and promotion after it for minutes."""

_RENEWED = (
    "credentials that are renewed (a profile of a role or of `aws sso login`, or a web identity token file); or a "
    "longer session: MaxSessionDuration of the role, and role-duration-seconds in a GitHub workflow"
)


class Account(AwsAccount):
    """One region of an account, with little patience, and clients for what only the doctor asks.

    Args:
        region: AWS region.
        profile: AWS profile, or None for the environment's credentials.
    """

    def __init__(self, region: str, profile: str | None = None) -> None:
        super().__init__(region=region, profile=profile, patience=BRIEF)
        self.about = f"account in {region}" + (f", profile {profile}" if profile else "")

    def client(self, service: str) -> Any:
        """The client of one service.

        Raises:
            PipelineError: The profile or the region does not exist.
        """
        return self._session.client(service)

    def asking(self, purpose: str) -> AbstractContextManager[None]:
        """Turn what botocore raises into a `PipelineError`; see `pipeline.aws.asking`."""
        return self._session.asking(purpose)


def credentials(account: Account) -> Finding:
    """Whether AWS accepts the credentials in this region."""
    subject = Subject("credentials", account.about)
    try:
        arn = account.identity()
    except PipelineError as error:
        guess = close_region(account.region)
        if guess is None:
            return subject.failed(error)
        return subject.fail(
            error.seen or account.region,
            cause=f"{account.region} is not a region of AWS" + (f"; did you mean {guess}?" if guess else ""),
            cure="aws:region in the stack file",
        )
    return subject.ok(f"{arn} in account {arn.split(':')[4]}")


def close_region(region: str) -> str | None:
    """None if botocore knows the region; otherwise the name closest to it, or nothing."""
    from botocore.session import Session

    session = Session()
    known = {
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("ec2", partition_name=partition)
    }
    return None if region in known else next(iter(difflib.get_close_matches(region, sorted(known), n=1)), "")


def session(
    stack: Stack, *, environment: Mapping[str, str] = os.environ, now: datetime | None = None
) -> Iterator[Finding]:
    """Whether session credentials in the environment outlive a bake; nothing renews them.

    Args:
        stack: A stack that bakes.
        environment: Where AWS's variables are.
        now: The present time, in UTC.
    """
    subject = Subject("session", stack.about)
    if stack.settings.profile or environment.get("AWS_PROFILE") or not environment.get("AWS_SESSION_TOKEN"):
        yield subject.ok("the credentials are renewed, or do not expire")
        return
    end = _time(environment.get("AWS_CREDENTIAL_EXPIRATION", ""))
    if end is None:
        yield subject.warn(
            "AWS_SESSION_TOKEN is set, AWS_CREDENTIAL_EXPIRATION is not",
            cause="session credentials in the environment usually expire after one hour and are not renewed: a longer "
            "bake could neither remove its builder nor save its state",
            cure=_RENEWED,
        )
        return
    left = end - (now or datetime.now(UTC))
    seen = f"the session ends at {end:%Y-%m-%d %H:%M} UTC"
    if left >= NEEDED:
        yield subject.ok(seen)
        return
    yield subject.warn(
        seen,
        cause=f"that is in {max(left, timedelta()) // timedelta(minutes=1)} minutes; a bake and its validation may "
        f"take {NEEDED // timedelta(minutes=1)}, and could then neither remove their machines nor save the state",
        cure=_RENEWED,
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
