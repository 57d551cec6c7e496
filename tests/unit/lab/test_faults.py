"""What the API does on a bad day, on demand; and who called what."""

import threading
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from botocore.parsers import ResponseParserError

from lab import settings
from lab.faults import Fault
from tests.unit.lab.paper import source


def url(ec2: Any, path: str) -> str:
    return f"{ec2.meta.endpoint_url}/lab-api/{path}"


def arm(ec2: Any, *rules: dict[str, Any]) -> None:
    httpx.put(url(ec2, "faults"), json=rules).raise_for_status()


def client(ec2: Any, service: str) -> Any:
    """A client that calls once, whatever comes of it, under a key of its own."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=ec2.meta.endpoint_url,
        region_name=settings.REGION,
        aws_access_key_id="once",
        aws_secret_access_key="lab",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def once(ec2: Any) -> Any:
    return client(ec2, "ec2")


def tags(ec2: Any) -> list[str]:
    return [tag["Value"] for tag in ec2.describe_tags()["Tags"]]


def tag(ec2: Any, value: str) -> None:
    ec2.create_tags(Resources=[source(ec2)], Tags=[{"Key": "Note", "Value": value}])


def test_an_error_strikes_as_often_as_it_is_told_and_does_nothing(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "error", "code": "RequestLimitExceeded", "status": 503})
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        tag(once, "a")
    assert tags(ec2) == []
    tag(once, "b")
    assert tags(ec2) == ["b"]
    assert httpx.get(url(ec2, "faults")).json() == ["CreateTags"]


def test_a_lost_answer_comes_after_the_deed(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "lost"})
    with pytest.raises(ConnectionClosedError):
        tag(once, "a")
    assert tags(ec2) == ["a"]


def test_a_throttled_call_is_refused_in_the_words_of_its_service(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "throttled"}, {"action": "PutParameter", "kind": "throttled"})
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        tag(once, "a")
    assert tags(ec2) == []
    ssm = client(ec2, "ssm")
    with pytest.raises(ClientError, match="ThrottlingException"):
        ssm.put_parameter(Name="/a", Value="b", Type="String")


def test_a_page_of_a_proxy_comes_in_place_of_the_deed(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "html"})
    with pytest.raises(ResponseParserError):
        tag(once, "a")
    assert tags(ec2) == []


def test_half_an_answer_comes_after_the_deed(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "cut"})
    with pytest.raises(ResponseParserError):
        tag(once, "a")
    assert tags(ec2) == ["a"]


def test_the_third_call_of_any_kind_and_all_after_it(ec2: Any, once: Any) -> None:
    arm(
        ec2,
        {"action": "*", "kind": "error", "code": "ServiceUnavailable", "status": 503, "after": 2, "times": 9},
    )
    once.describe_vpcs()
    once.describe_subnets()
    for _ in range(2):
        with pytest.raises(ClientError, match="ServiceUnavailable"):
            once.describe_vpcs()
    assert httpx.get(url(ec2, "faults")).json() == ["DescribeVpcs"] * 2


def test_an_ignored_call_is_acknowledged_and_not_done(ec2: Any) -> None:
    ssm = client(ec2, "ssm")
    arm(ec2, {"action": "PutParameter", "kind": "ignored"})
    assert ssm.put_parameter(Name="/a", Value="b", Type="String")["Version"] == 0
    assert ssm.describe_parameters()["Parameters"] == []


def test_a_held_call_goes_on_when_its_rule_is_taken_away(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "hold"})
    caller = threading.Thread(target=tag, args=(once, "a"))
    caller.start()
    while not httpx.get(url(ec2, "faults")).json():
        pass
    assert tags(ec2) == [], "the lab answers others meanwhile"
    arm(ec2)
    caller.join()
    assert tags(ec2) == ["a"]


def begin(ec2: Any, caller: Any, value: str) -> tuple[threading.Thread, list[Exception]]:
    """Tag in a thread, and return once a rule has struck the call; with what it raises."""
    raised: list[Exception] = []

    def call() -> None:
        try:
            tag(caller, value)
        except ConnectionClosedError as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    before = len(httpx.get(url(ec2, "faults")).json())
    thread.start()
    while len(httpx.get(url(ec2, "faults")).json()) == before:
        pass
    return thread, raised


def test_a_dropped_call_is_never_done(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "dropped"})
    thread, raised = begin(ec2, once, "a")
    arm(ec2)
    thread.join()
    assert len(raised) == 1
    assert tags(ec2) == []


def test_a_kept_answer_comes_after_the_deed_when_its_rule_is_taken_away(ec2: Any, once: Any) -> None:
    arm(ec2, {"action": "CreateTags", "kind": "kept"})
    thread, raised = begin(ec2, once, "a")
    while not tags(ec2):
        pass
    assert thread.is_alive()
    arm(ec2)
    thread.join()
    assert not raised
    assert tags(ec2) == ["a"]


def test_rules_for_two_callers_hold_one_each_and_let_them_go_one_by_one(ec2: Any) -> None:
    def caller(key: str) -> Any:
        endpoint, config = ec2.meta.endpoint_url, Config(retries={"total_max_attempts": 1})
        return boto3.client(
            "ec2", endpoint_url=endpoint, region_name=settings.REGION, config=config,
            aws_access_key_id=key, aws_secret_access_key="lab",
        )  # fmt: skip

    rule = {"action": "CreateTags", "kind": "hold"}
    arm(ec2, {**rule, "key": "mine"}, {**rule, "key": "theirs"})
    tag(caller("nobody"), "other")
    mine, _ = begin(ec2, caller("mine"), "mine")
    theirs, _ = begin(ec2, caller("theirs"), "theirs")
    assert tags(ec2) == ["other"]
    arm(ec2, {**rule, "key": "theirs", "times": 0})
    mine.join()
    assert tags(ec2) == ["mine"]
    assert theirs.is_alive()
    arm(ec2)
    theirs.join()
    assert tags(ec2) == ["theirs"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'eror' is not one of error, throttled"):
        Fault.of({"action": "CreateTags", "kind": "eror"})


def test_the_log_says_who_called_what(ec2: Any, once: Any) -> None:
    httpx.delete(url(ec2, "calls"))
    tag(once, "a")
    with pytest.raises(ClientError, match="DryRunOperation"):
        once.create_key_pair(KeyName="a", DryRun=True)
    mine = {"key": "once", "service": "ec2"}
    assert httpx.get(url(ec2, "calls")).json() == [
        {**mine, "action": "DescribeImages", "status": 200, "dry": False},
        {**mine, "action": "CreateTags", "status": 200, "dry": False},
        {**mine, "action": "CreateKeyPair", "status": 412, "dry": True},
    ]


def test_a_crowd_of_images_comes_and_goes(ec2: Any) -> None:
    for count in (3, 0):
        crowd = {"count": count, "tags": {"Role": "web"}}
        httpx.put(url(ec2, "crowd"), json=crowd).raise_for_status()
        images = ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag:Role", "Values": ["web"]}])
        assert len(images["Images"]) == count
        # All but the snapshot of the lab's own base image.
        assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == 1 + count
