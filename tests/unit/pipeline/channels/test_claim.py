"""A channel is moved only from where its stack left it."""

import json
from typing import Any

import boto3
import pytest

from pipeline.channels import claim
from pipeline.errors import PipelineError

REGION = "eu-west-1"
NAME = "/golden-image/web/prod"
OLD, NEW, OTHER = (f"ami-{digit * 17}" for digit in "abc")


@pytest.fixture
def ssm(aws: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv(claim.PREVIOUS, raising=False)
    return boto3.client("ssm", region_name=REGION)


def point(ssm: Any, image: str) -> None:
    ssm.put_parameter(Name=NAME, Value=image, Type="String", Overwrite=True)


def plan(image: str) -> dict[str, str]:
    return {"region": REGION, "role": "web", "channel": "prod", "imageId": image}


def before(monkeypatch: pytest.MonkeyPatch, image: str, displaces: str | None) -> None:
    said = {"imageId": image, "displaces": displaces, "version": 1}
    monkeypatch.setenv(claim.PREVIOUS, json.dumps(said))


def test_a_channel_that_holds_nothing(ssm: Any) -> None:
    assert claim.run(plan(NEW)) == {"imageId": NEW, "displaces": None, "version": 0}


def test_one_that_holds_the_image_already_also_without_state(ssm: Any) -> None:
    point(ssm, NEW)
    assert claim.run(plan(NEW)) == {"imageId": NEW, "displaces": NEW, "version": 1}


def test_one_that_stands_where_the_stack_left_it(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    point(ssm, OLD)
    before(monkeypatch, OLD, None)
    assert claim.run(plan(NEW)) == {"imageId": NEW, "displaces": OLD, "version": 1}


def test_after_a_claim_whose_write_failed(ssm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    point(ssm, OLD)
    before(monkeypatch, OTHER, OLD)
    assert claim.run(plan(NEW))["displaces"] == OLD


@pytest.mark.parametrize("state", ["of another image", "none"])
def test_one_that_somebody_else_moved(ssm: Any, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    point(ssm, OLD)
    point(ssm, OTHER)
    if state != "none":
        before(monkeypatch, OLD, None)
    with pytest.raises(PipelineError) as caught:
        claim.run(plan(NEW))
    text = str(caught.value)
    assert "channel prod holds an image that this stack did not put there" in text
    assert f"version 2: {OTHER}, written 20" in text
    assert f"golden-image:image: {OTHER}" in text, "the way out"
    assert ssm.get_parameter(Name=NAME)["Parameter"]["Value"] == OTHER


@pytest.mark.parametrize("said", ["{", "[]", '{"imageId": "ami-1"}'])
def test_a_state_that_is_not_ours(ssm: Any, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(claim.PREVIOUS, said)
    with pytest.raises(PipelineError, match="does not hold what the step `claim` said"):
        claim.run(plan(NEW))


@pytest.mark.parametrize("key", ["region", "role", "channel", "imageId"])
def test_an_incomplete_plan(key: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{key}'"):
        claim.run({name: value for name, value in plan(NEW).items() if name != key})
