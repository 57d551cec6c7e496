"""Session credentials that end before a bake may are a warning."""

from datetime import UTC, datetime

import pytest

from pipeline.doctor import account
from pipeline.doctor.findings import Status
from pipeline.doctor.stacks import Stack
from pipeline.settings import load
from tests.unit.pipeline.doctor.making import DEV

NOW = datetime(2026, 2, 1, 12, 0, tzinfo=UTC)
TOKEN = {"AWS_SESSION_TOKEN": "x"}
CONFIG = {
    "aws:region": "eu-west-1",
    "golden-image:role": "web",
    "golden-image:channel": "candidate",
    "golden-image:from": "bake",
}


def until(when: str) -> dict[str, str]:
    return {**TOKEN, "AWS_CREDENTIAL_EXPIRATION": when}


@pytest.mark.parametrize(
    ("environment", "status", "words"),
    [
        ({}, Status.OK, "do not expire"),
        ({**TOKEN, "AWS_PROFILE": "sso"}, Status.OK, "are renewed"),
        (TOKEN, Status.WARN, "AWS_CREDENTIAL_EXPIRATION is not"),
        (until("2026-02-01T14:00:00Z"), Status.OK, "ends at 2026-02-01 14:00 UTC"),
        (until("2026-02-01T14:30:00+02:00"), Status.WARN, "in 30 minutes"),
        (until("2026-02-01T11:00:00Z"), Status.WARN, "in 0 minutes"),
        (until("soon"), Status.WARN, "usually expire after one hour"),
    ],
)
def test_what_is_left(environment: dict[str, str], status: Status, words: str) -> None:
    [finding] = account.session(DEV, environment=environment, now=NOW)
    assert finding.status is status
    assert words in finding.seen + finding.cause
    assert status is Status.OK or "role-duration-seconds" in finding.cure


def test_a_profile_in_the_stack_file() -> None:
    profiled = Stack(load.parse({**CONFIG, "aws:profile": "sso"}, stack="dev"))
    [finding] = account.session(profiled, environment=TOKEN, now=NOW)
    assert finding.status is Status.OK
