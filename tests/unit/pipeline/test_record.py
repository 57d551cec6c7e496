"""What a channel has held is known, and can be gone back to, however often its pointer was written since."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from pipeline import record
from pipeline.aws.account import Account
from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.model import PointerVersion
from pipeline.operate import retire, rollback
from pipeline.promote import history

REGION = "eu-west-1"
POINTER = "/golden-image/web/prod"
WHEN = datetime(2026, 2, 1, 12, 0, 0, 500_000, tzinfo=UTC)
TAGS = {"Role": "web", "Validated": "x", "ManagedBy": "packer", "BakeKey": "k"}


class Moved:
    """An account of moto's whose channel is written by a stack, and by hand."""

    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)

    def image(self, name: str) -> str:
        found: str = self.ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        self.ec2.create_tags(Resources=[found], Tags=[{"Key": k, "Value": v} for k, v in TAGS.items()])
        return found

    def write(self, image: str, times: int = 1) -> None:
        for _ in range(times):
            self.ssm.put_parameter(Name=POINTER, Value=image, Type="String", Overwrite=True)

    def promote(self, image: str) -> list[str]:
        """As a stack does it; returns what was tagged."""
        self.write(image)
        channels = Account(region=REGION).channels
        return channels.note_held("prod", channels.history("web", "prod"))

    def age(self, image: str, days: int) -> None:
        """Make it that much longer ago that the channel came to hold it."""
        when = datetime.now(UTC) - timedelta(days=days)
        tag = {"Key": "Held-prod", "Value": f"{when:%Y-%m-%dT%H:%M:%SZ}"}
        self.ec2.create_tags(Resources=[image], Tags=[tag])

    def held(self, image: str) -> str | None:
        tags = self.ec2.describe_images(ImageIds=[image])["Images"][0]["Tags"]
        return next((tag["Value"] for tag in tags if tag["Key"] == "Held-prod"), None)


@pytest.fixture
def account(aws: None) -> Moved:
    return Moved()


@pytest.fixture
def written(account: Moved) -> tuple[Moved, str, str]:
    """A channel that held one image, then another, and was written 120 times with that by hand."""
    first, second = account.image("first"), account.image("second")
    account.promote(first)
    account.age(first, 60)
    account.promote(second)
    account.age(second, 30)
    account.write(second, 120)
    assert {entry.image_id for entry in Account(region=REGION).channels.history("web", "prod")} == {second}
    return account, first, second


def test_there_is_something_to_go_back_to_after_a_hundred_writes(
    written: tuple[Moved, str, str], tmp_path: Path
) -> None:
    _, first, _ = written
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(
        f"config:\n  aws:region: {REGION}\n  golden-image:role: web\n"
        "  golden-image:channel: prod\n  golden-image:from: candidate\n"
    )
    found = CliRunner().invoke(app, ["rollback", "prod", "--config-file", str(file), "--json"])
    assert found.exit_code == 0, found.exception
    told = json.loads(found.stdout)
    assert told["picked"] == first
    assert told["history"][-1]["imageId"] == first
    assert told["history"][-1]["version"] is None
    assert f"golden-image:image: {first}" in file.read_text()


def test_retire_keeps_it(written: tuple[Moved, str, str]) -> None:
    _, first, second = written
    read = retire.read(Account(region=REGION), datetime.now(UTC))
    found = retire.plan(read, retire.Limits(age=timedelta()))
    assert found.kept == {second: f"in {POINTER}", first: f"among the last 3 of {POINTER}"}
    assert found.images == []
    # It has settled for a month, though the versions that SSM has are seconds old.
    limits = retire.Limits(age=timedelta(), history=1, settled=timedelta(days=7))
    assert [one.id for one in retire.plan(read, limits).images] == [first]


def test_an_image_is_tagged_once_with_the_first_time(account: Moved, calls: list[str]) -> None:
    first, second = account.image("first"), account.image("second")
    assert account.promote(first) == [first]
    account.age(first, 60)
    before = account.held(first)
    assert account.promote(second) == [second]
    assert account.promote(first) == []
    assert account.held(first) == before
    calls.clear()
    assert account.promote(first) == []
    assert "CreateTags" not in calls


def test_a_record_from_before_the_tags_is_caught_up_with(account: Moved) -> None:
    images = [account.image(f"image-{number}") for number in range(4)]
    for one in images:
        account.write(one)
    account.ec2.deregister_image(ImageId=images[0])
    assert set(account.promote(images[1])) == set(images[1:])


@pytest.mark.parametrize(("writes", "more"), [(99, 0), (100, 1)])
def test_tags_are_asked_for_only_once_ssm_has_forgotten(
    account: Moved, calls: list[str], writes: int, more: int
) -> None:
    account.write(account.image("one"), writes)
    calls.clear()
    history.read(Account(region=REGION), role="web", channel="prod")
    assert calls.count("DescribeImages") == 1 + more


def test_another_roles_image_and_a_tag_that_is_no_time_do_not_count(
    written: tuple[Moved, str, str],
) -> None:
    account, first, _ = written
    account.ec2.create_tags(Resources=[first], Tags=[{"Key": "Held-prod", "Value": "yesterday"}])
    other = account.image("other")
    account.age(other, 90)
    account.ec2.create_tags(Resources=[other], Tags=[{"Key": "Role", "Value": "db"}])
    with pytest.raises(PipelineError, match="no earlier image"):
        rollback._pick(history.read(Account(region=REGION), role="web", channel="prod"), None, "prod")


def test_the_union_names_no_image_twice_for_one_time() -> None:
    versions = [PointerVersion(version=7, image_id="b", when=WHEN, by="x")]
    whole = WHEN.replace(microsecond=0)
    found = record.union(versions, {"b": whole, "a": whole - timedelta(seconds=1), "c": whole + timedelta(1)})
    assert [(entry.version, entry.image_id) for entry in found] == [(7, "b"), (0, "a")]
