"""Credentials and region: why nobody knows who we are."""

from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from pipeline.doctor import account
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.stacks import Place

SUBJECT = Subject("credentials", "account")
PLACE = Place("eu-west-1")


def refused(code: str) -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")


@pytest.mark.parametrize(
    ("error", "cause", "cure"),
    [
        (boto.NoCredentialsError(), "no credentials in the environment", "aws configure"),
        (boto.ProfileNotFound(profile="x"), "no such profile", "aws:profile"),
        (refused("ExpiredToken"), "have expired", "log in again"),
        (refused("InvalidClientTokenId"), "does not know", "region is enabled"),
        (refused("SignatureDoesNotMatch"), "this machine's clock", "the time"),
        (refused("Other"), "AWS refused to find out who asks", "what AWS says"),
        (refused("Throttling"), "AWS throttled", "some minutes"),
        (refused("InternalFailure"), "AWS is out of order", "later"),
        (ResponseParserError("status 200, text/html"), "was not AWS", "proxy"),
        (boto.EndpointConnectionError(endpoint_url="x"), "was not reached from this machine", "network"),
    ],
)
def test_why(error: Exception, cause: str, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    finding = account.no_identity(SUBJECT, error, PLACE)
    assert finding.status is Status.FAIL
    assert cause in finding.cause
    assert cure in finding.cure


def test_a_region_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    error = boto.EndpointConnectionError(endpoint_url="x")
    finding = account.no_identity(SUBJECT, error, Place("eu-wset-1"))
    assert "no region of AWS; eu-west-1 is" in finding.cause


def test_an_endpoint_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    error = boto.EndpointConnectionError(endpoint_url="x")
    assert account.no_identity(SUBJECT, error, PLACE).cause.startswith("AWS_ENDPOINT_URL names an endpoint")


@pytest.mark.parametrize("endpoint", ["localhost:5000", "http://127.0.0.1:9"])
def test_an_endpoint_that_is_none_is_a_finding(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    finding, identity = account.who(Account(PLACE))
    assert identity is None
    assert finding.status is Status.FAIL
    assert "AWS_ENDPOINT_URL" in finding.cause


@pytest.mark.usefixtures("aws")
class TestAgainstAws:
    def test_who(self) -> None:
        finding, identity = account.who(Account(PLACE))
        assert finding.status is Status.OK
        assert identity is not None
        assert identity.account in finding.seen

    def test_a_region(self) -> None:
        [finding] = account.region(Account(PLACE))
        assert finding.status is Status.OK

    @pytest.mark.parametrize(
        ("answer", "seen"),
        [
            ([{"RegionName": "eu-west-1", "OptInStatus": "not-opted-in"}], "is not enabled"),
            ([], "eu-west-1"),
        ],
    )
    def test_a_region_that_is_not_ours(
        self, answer: list[Any], seen: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = Account(PLACE)
        monkeypatch.setattr(asked.client("ec2"), "describe_regions", lambda **_: {"Regions": answer})
        [finding] = account.region(asked)
        assert finding.status is Status.FAIL
        assert seen in finding.seen
