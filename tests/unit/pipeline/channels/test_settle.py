"""Tags follow pointers, whoever did what before."""

from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from pipeline.channels import settle
from pipeline.errors import PipelineError
from pipeline.model import Held, pointer_description, pointer_source

REGION = "eu-west-1"


def held(channel: str, image_id: str, source: str | None, minute: int = 0) -> Held:
    since = datetime(2026, 1, 31, 12, minute, tzinfo=UTC)
    return Held(channel=channel, image_id=image_id, since=since, source=source)


CANDIDATE, STAGING, PROD = ("candidate", "bake"), ("staging", "candidate"), ("prod", "staging")


def stage(stage: tuple[str, str], image_id: str, minute: int = 0) -> Held:
    return held(stage[0], image_id, stage[1], minute)


def test_the_stage_furthest_from_the_bake_names_an_image() -> None:
    found = settle.wanted_tags([stage(PROD, "a", 1), stage(STAGING, "a", 2), stage(CANDIDATE, "a", 3)])
    assert found == {"a": "prod"}


def test_each_its_own() -> None:
    found = settle.wanted_tags([stage(PROD, "a"), stage(STAGING, "b"), stage(CANDIDATE, "c")])
    assert found == {"a": "prod", "b": "staging", "c": "candidate"}


def test_of_equals_the_latest() -> None:
    assert settle.wanted_tags([held("x", "a", "bake", 2), held("y", "a", "bake", 1)]) == {"a": "x"}


def test_a_circle_ends() -> None:
    circle = [held("x", "a", "y"), held("y", "b", "x")]
    assert settle.wanted_tags(circle) == {"a": "x", "b": "y"}


@pytest.mark.parametrize(("source", "read"), [("candidate", "candidate"), ("bake", "bake"), (None, None)])
def test_a_pointer_says_its_source(source: str | None, read: str | None) -> None:
    assert pointer_source(pointer_description("web", "prod", source)) == read


def test_a_description_of_somebody_else() -> None:
    assert pointer_source("the image of prod") is None


class Aws:
    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)

    def image(self, name: str, channel: str | None = None, role: str = "web") -> str:
        image: str = self.ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        tags = {"Role": role} | ({"ImageChannel": channel} if channel else {})
        self.ec2.create_tags(Resources=[image], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
        return image

    def point(self, channel: str, image: str, source: str) -> None:
        self.ssm.put_parameter(
            Name=f"/golden-image/web/{channel}",
            Value=image,
            Type="String",
            Description=pointer_description("web", channel, source),
            Overwrite=True,
        )

    def channel(self, image: str) -> str | None:
        tags = self.ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}.get("ImageChannel")


@pytest.fixture
def account(aws: None) -> Aws:
    return Aws()


def plan(channel: str, image: str) -> dict[str, str]:
    return {"region": REGION, "role": "web", "channel": channel, "imageId": image}


def test_the_displaced_image_loses_it_and_what_is_not_ours_stays(account: Aws) -> None:
    old, new = account.image("old", "prod"), account.image("new", "candidate")
    failed, foreign = account.image("failed", "candidate"), account.image("foreign", "qa")
    other = account.image("other", "prod", role="db")
    account.point("prod", new, "candidate")
    account.point("candidate", new, "bake")
    settle.run(plan("prod", new))
    assert account.channel(new) == "prod"
    assert account.channel(old) is None
    assert account.channel(failed) is None, "a candidate that no channel holds is none"
    assert account.channel(foreign) == "qa"
    assert account.channel(other) == "prod", "another role's"


def test_going_back_gives_an_earlier_stage_its_name_back(account: Aws) -> None:
    old, new = account.image("old"), account.image("new", "prod")
    account.point("candidate", new, "bake")
    account.point("prod", old, "candidate")
    settle.run(plan("prod", old))
    assert (account.channel(old), account.channel(new)) == ("prod", "candidate")


def test_leaving(account: Aws) -> None:
    image = account.image("image", "prod")
    account.point("candidate", image, "bake")
    account.point("prod", image, "candidate")
    settle.leave(plan("prod", image))
    assert account.channel(image) == "candidate"
    settle.leave(plan("candidate", image))
    assert account.channel(image) == "prod", "as long as its pointer is there"


def test_a_pointer_that_did_not_move_is_no_success(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SETTLED_SECONDS", 0)
    old, new = account.image("old", "prod"), account.image("new")
    account.point("prod", old, "candidate")
    with pytest.raises(PipelineError, match=f"channel prod does not hold {new}"):
        settle.run(plan("prod", new) | {"claimed": 1})
    assert account.channel(old) == "prod"


def test_an_answer_that_was_lost_and_a_second_write_of_the_same(account: Aws) -> None:
    old, new = account.image("old", "prod"), account.image("new")
    for image in (old, new, new):
        account.point("prod", image, "candidate")
    settle.run(plan("prod", new) | {"claimed": 1})
    assert (account.channel(old), account.channel(new)) == (None, "prod")


@pytest.mark.parametrize("order", ["mine last", "theirs last"])
def test_two_promotions_at_once(account: Aws, order: str) -> None:
    old, mine, theirs = account.image("old", "prod"), account.image("mine"), account.image("theirs")
    for image in (old, theirs, mine) if order == "mine last" else (old, mine, theirs):
        account.point("prod", image, "candidate")
    with pytest.raises(PipelineError, match="two promotions into channel prod at once") as caught:
        settle.run(plan("prod", mine) | {"claimed": 1})
    assert theirs in str(caught.value)
    assert account.channel(old) == "prod", "nothing is settled before somebody has decided"


def test_what_somebody_wrote_long_after_is_for_the_claim(account: Aws) -> None:
    old, mine, theirs = account.image("old"), account.image("mine"), account.image("theirs")
    for image in (old, mine, theirs, mine):
        account.point("prod", image, "candidate")
    settle.run(plan("prod", mine) | {"claimed": 1})
    assert account.channel(mine) == "prod"


def test_an_image_that_did_not_pass_is_withdrawn(account: Aws) -> None:
    failed, good = account.image("failed", "candidate"), account.image("good", "candidate")
    account.point("candidate", good, "bake")
    for image in (failed, good):
        settle.withdraw(account.ec2, image, role="web", region=REGION)
    assert (account.channel(failed), account.channel(good)) == (None, "candidate")


@pytest.mark.parametrize("key", ["region", "role", "channel", "imageId"])
def test_an_incomplete_plan(key: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{key}'"):
        settle.run({name: value for name, value in plan("prod", "ami-1").items() if name != key})
