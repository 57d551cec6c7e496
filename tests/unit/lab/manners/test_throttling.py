"""Requests are counted, and refused when they come too fast."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lab import environment
from lab.manners.throttling import Bucket
from tests.unit.lab.manners.conftest import Clock


def refusals(call: Callable[[], Any], count: int) -> list[str]:
    """The error codes of so many calls in a row."""
    codes = []
    for _ in range(count):
        try:
            call()
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    return codes


def test_a_bucket_empties_and_time_fills_it_up_to_its_size() -> None:
    bucket = Bucket(size=2, refill=4)
    assert [bucket.take(now) for now in (0.0, 0.0, 0.0, 0.25, 0.25)] == [True, True, False, True, False]
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


def test_a_greedy_loop_is_refused_in_the_words_of_each_service(
    manners: Callable[..., None], client: Callable[..., Any], clock: Clock
) -> None:
    manners("throttling")
    ec2, ssm = client("ec2"), client("ssm")
    found = refusals(lambda: ec2.start_instances(InstanceIds=["i-1"]), 7)
    assert found == ["InvalidInstanceID.NotFound"] * 5 + ["RequestLimitExceeded"] * 2
    assert refusals(ssm.describe_parameters, 11) == ["ThrottlingException"]
    clock.advance(1.0)
    assert refusals(ssm.describe_parameters, 6) == ["ThrottlingException"]


def test_ordinary_use_is_not(manners: Callable[..., None], client: Callable[..., Any]) -> None:
    manners("throttling")
    ec2 = client("ec2")
    assert refusals(lambda: ec2.describe_images(Owners=["self"]), 20) == []
    assert refusals(ec2.describe_key_pairs, 20) == []


def test_another_action_and_the_onlooker_have_tokens_of_their_own(
    manners: Callable[..., None], client: Callable[..., Any]
) -> None:
    manners("throttling")
    ssm = client("ssm")
    assert refusals(ssm.describe_parameters, 60)
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/none")
    assert refusals(client("ssm", environment.ONLOOKER).describe_parameters, 60) == []


def test_a_refused_call_does_not_count_for_a_rule(
    manners: Callable[..., None], client: Callable[..., Any], clock: Clock
) -> None:
    """A rule for the Nth call would strike another one, as the refused call is made again."""
    manners("throttling")
    ssm = client("ssm")
    rule = {"action": "*", "kind": "error", "code": "InternalError", "status": 500, "after": 10}
    httpx.put(f"{ssm.meta.endpoint_url}/lab-api/faults", json=[rule]).raise_for_status()
    assert refusals(ssm.describe_parameters, 12) == ["ThrottlingException"] * 2
    clock.advance(1.0)
    assert refusals(ssm.describe_parameters, 2) == ["InternalError"]
