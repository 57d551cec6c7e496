"""Credentials: why AWS does not accept them."""

import pytest
from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from pipeline.doctor import account, run
from pipeline.doctor.account import Account
from pipeline.doctor.findings import Status
from tests.unit.pipeline.doctor.making import PROD, REGION


class Fails:
    """A client of STS."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_caller_identity(self) -> None:
        raise self.error


def refused(code: str) -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code, "Message": "no"}}, "GetCallerIdentity")


@pytest.mark.parametrize(
    ("error", "cause", "cure"),
    [
        (boto.NoCredentialsError(), "there are no credentials", "aws configure"),
        (boto.ProfileNotFound(profile="x"), "there are no credentials", "aws:profile"),
        (refused("ExpiredToken"), "have expired", "log in again"),
        (refused("InvalidClientTokenId"), "AWS does not", "where eu-west-1 is enabled"),
        (refused("SignatureDoesNotMatch"), "the secret key is wrong", "AWS_SECRET_ACCESS_KEY"),
        (refused("Throttling"), "AWS throttled", "some minutes"),
        (refused("InternalFailure"), "AWS is out of order", "later"),
        (ResponseParserError("status 200, text/html"), "not AWS", "proxy"),
        (boto.EndpointConnectionError(endpoint_url="x"), "AWS was not reached", "the network"),
        (RuntimeError("refreshed credentials are still expired"), "have expired", "log in again"),
    ],
)
def test_why(error: Exception, cause: str, cure: str) -> None:
    asked = Account(REGION)
    asked._session._clients["sts"] = Fails(error)
    [finding] = run.of_an_account(asked, [PROD])
    assert (finding.check, finding.status) == ("credentials", Status.FAIL), "nothing else is asked then"
    assert cause in finding.cause
    assert cure in finding.cure


def test_a_region_that_does_not_exist() -> None:
    asked = Account("eu-wset-1")
    asked._session._clients["sts"] = Fails(boto.EndpointConnectionError(endpoint_url="x"))
    finding = account.credentials(asked)
    assert finding.cause == "eu-wset-1 is not a region of AWS; did you mean eu-west-1?"


@pytest.mark.parametrize("endpoint", ["localhost:5000", "http://127.0.0.1:9"])
def test_an_endpoint_that_does_not_answer(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    finding = account.credentials(Account(REGION))
    assert finding.status is Status.FAIL
    assert "AWS_ENDPOINT_URL" in finding.cure


@pytest.mark.usefixtures("aws")
def test_whose_they_are() -> None:
    finding = account.credentials(Account(REGION))
    assert finding.status is Status.OK
    assert "in account 123456789012" in finding.seen


@pytest.mark.parametrize(
    ("region", "close"), [("eu-west-1", None), ("eu-wset-1", "eu-west-1"), ("zz-nowhere-99", "")]
)
def test_the_closest_region(region: str, close: str | None) -> None:
    assert account.close_region(region) == close
