"""A parameter that holds an image id is written after the answer."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lab import environment
from lab.manners import late_parameters
from tests.unit.lab.manners.conftest import Clock

NAME = "/golden-image/web/prod"


def put(ssm: Any, value: str, *, overwrite: bool = True, data_type: str = "aws:ec2:image") -> int:
    version: int = ssm.put_parameter(
        Name=NAME, Value=value, Type="String", DataType=data_type, Overwrite=overwrite
    )["Version"]
    return version


def value(ssm: Any) -> str | None:
    try:
        found: str = ssm.get_parameter(Name=NAME)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return found


def written(clock: Clock) -> None:
    """Let time go on until all that was put is written."""
    clock.advance(late_parameters.SECONDS[1])


@pytest.fixture
def ssm(manners: Callable[..., None], client: Callable[..., Any]) -> Any:
    manners("late-image-parameters")
    return client("ssm")


@pytest.fixture
def images(ec2: Any) -> list[str]:
    return [
        ec2.register_image(Name=name, Architecture="x86_64")["ImageId"] for name in ("one", "two", "three")
    ]


def test_a_create_and_an_update_take_effect_after_the_answer(
    ssm: Any, images: list[str], clock: Clock
) -> None:
    assert put(ssm, images[0], overwrite=False) == 1
    assert value(ssm) is None
    written(clock)
    assert value(ssm) == images[0]
    assert put(ssm, images[1]) == 2
    assert value(ssm) == images[0]
    written(clock)
    assert value(ssm) == images[1]
    found = ssm.get_parameter(Name=NAME)["Parameter"]
    assert (found["Version"], found["DataType"]) == (2, "aws:ec2:image")


def test_an_image_that_nobody_can_see_is_thrown_away_without_a_word(
    ssm: Any, images: list[str], clock: Clock
) -> None:
    put(ssm, images[0])
    written(clock)
    assert value(ssm) == images[0]
    put(ssm, "ami-00000000000000000")
    put(ssm, images[1])
    written(clock)
    assert value(ssm) == images[1]
    values = [one["Value"] for one in ssm.get_parameter_history(Name=NAME)["Parameters"]]
    assert values == images[:2]


def test_two_writes_keep_their_order_and_count_on(ssm: Any, images: list[str], clock: Clock) -> None:
    assert [put(ssm, image) for image in images] == [1, 2, 3]
    written(clock)
    assert value(ssm) == images[2]
    values = [one["Value"] for one in ssm.get_parameter_history(Name=NAME)["Parameters"]]
    assert values == images


def test_what_is_refused_is_refused_at_once(ssm: Any, images: list[str], clock: Clock) -> None:
    put(ssm, images[0])
    written(clock)
    assert value(ssm) == images[0]
    with pytest.raises(ClientError, match="ParameterAlreadyExists"):
        put(ssm, images[1], overwrite=False)
    written(clock)
    assert value(ssm) == images[0]


def test_plain_text_the_onlooker_and_a_lab_without_the_manner_write_at_once(
    ssm: Any, images: list[str], client: Callable[..., Any], manners: Callable[..., None]
) -> None:
    put(ssm, "any", data_type="text")
    assert value(ssm) == "any"
    put(client("ssm", environment.ONLOOKER), images[0])
    assert value(ssm) == images[0]
    manners()
    put(ssm, images[1])
    assert value(ssm) == images[1]


def test_the_lab_says_when_it_has_written_all(ssm: Any, images: list[str], clock: Clock) -> None:
    def lag() -> float:
        found: float = httpx.get(f"{ssm.meta.endpoint_url}/lab-api/lag").json()
        return found

    put(ssm, images[0])
    assert late_parameters.SECONDS[0] <= lag() <= late_parameters.SECONDS[1]
    written(clock)
    assert lag() == 0.0
