"""How long the credentials last: an update that outlives them can neither remove its builder nor save its state."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

NEEDED = timedelta(minutes=90)
"""A bake may last for an hour, unless a stack says otherwise, and the validation and promotion after it for minutes."""

_CURE = (
    "credentials that are renewed (a profile of a role or of `aws sso login`, or a web identity token file); or a "
    "longer session: MaxSessionDuration of the role, and role-duration-seconds in a GitHub workflow"
)


def check(
    stack: Stack, *, environment: Mapping[str, str] = os.environ, now: datetime | None = None
) -> Iterator[Finding]:
    """Whether session credentials in the environment outlive a bake; nothing renews them.

    Args:
        stack: A stack that bakes.
        environment: Where AWS's variables are.
        now: The present time, in UTC.
    """
    subject = Subject("session", stack.about)
    if stack.place.profile or environment.get("AWS_PROFILE") or not environment.get("AWS_SESSION_TOKEN"):
        yield subject.ok("the credentials are renewed, or do not expire")
        return
    end = _time(environment.get("AWS_CREDENTIAL_EXPIRATION", ""))
    if end is None:
        yield subject.warn(
            "AWS_SESSION_TOKEN, without AWS_CREDENTIAL_EXPIRATION",
            cause="session credentials in the environment expire, mostly after one hour, and are not renewed: a bake "
            "that lasts longer can neither remove its builder nor save its state",
            cure=_CURE,
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
        f"last {NEEDED // timedelta(minutes=1)}, and then can neither remove their machines nor save the state",
        cure=_CURE,
    )


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
