"""Going back: the channel's record, the pick, and one line; nothing in AWS."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from pipeline.channels import rollback
from pipeline.cli.app import app
from pipeline.errors import PipelineError

REGION = "eu-west-1"
TEXT = "config:\n  aws:region: eu-west-1\n  golden-image:channel: prod\n  golden-image:from: candidate\n"


class Channel:
    """A channel of the account, moved along by the test."""

    def __init__(self) -> None:
        self.ec2: Any = boto3.client("ec2", region_name=REGION)
        self.ssm: Any = boto3.client("ssm", region_name=REGION)

    def image(self, name: str, **tags: str) -> str:
        image: str = self.ec2.register_image(Name=name, RootDeviceName="/dev/xvda")["ImageId"]
        all_tags = {"Role": "web", "Validated": "2026-01-31T12:00:00Z suite a report b"} | tags
        self.ec2.create_tags(
            Resources=[image], Tags=[{"Key": k, "Value": v} for k, v in all_tags.items() if v]
        )
        return image

    def hold(self, image: str) -> None:
        self.ssm.put_parameter(Name="/golden-image/web/prod", Value=image, Type="String", Overwrite=True)


@pytest.fixture
def channel(aws: None) -> Channel:
    return Channel()


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(TEXT)
    return path


def pin(stack_file: Path) -> str | None:
    lines = [line for line in stack_file.read_text().splitlines() if "golden-image:image" in line]
    return lines[0].split()[-1] if lines else None


def test_the_previous_one(channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = channel.image("one", GitCommit="c" * 40), channel.image("two")
    for image in (first, second):
        channel.hold(image)
    rollback.show(rollback.run(config_file=stack_file), "prod")
    assert pin(stack_file) == first
    shown = capsys.readouterr().out
    assert f"+  golden-image:image: {first}" in shown
    assert "one" in shown
    assert "c" * 12 in shown
    assert "nothing has changed in AWS" in shown


def test_past_the_ones_that_cannot_be(channel: Channel, stack_file: Path) -> None:
    good, gone = channel.image("good"), channel.image("gone")
    revoked, bare, now = (
        channel.image("revoked", Revoked="CVE-1"),
        channel.image("bare", Validated=""),
        channel.image("now"),
    )
    for image in (good, gone, revoked, bare, now, good, now):
        channel.hold(image)
    channel.ec2.deregister_image(ImageId=gone)
    rollback.run(config_file=stack_file)
    assert pin(stack_file) == good
    for image, why in ((gone, "gone"), (revoked, "revoked: CVE-1"), (bare, "never validated")):
        with pytest.raises(PipelineError, match=why):
            rollback.run(config_file=stack_file, image_id=image)


def test_one_by_its_id_and_twice(
    channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [channel.image(name) for name in ("one", "two", "three")]
    for image in images:
        channel.hold(image)
    rollback.run(config_file=stack_file, image_id=images[0])
    assert pin(stack_file) == images[0]
    rollback.show(rollback.run(config_file=stack_file, image_id=images[0]), "prod")
    assert "pins" in capsys.readouterr().out


def test_nothing_to_go_back_to(channel: Channel, stack_file: Path) -> None:
    with pytest.raises(PipelineError, match="channel prod of role web has no history"):
        rollback.run(config_file=stack_file)
    only = channel.image("only")
    channel.hold(only)
    with pytest.raises(PipelineError, match="has no earlier image"):
        rollback.run(config_file=stack_file)
    with pytest.raises(PipelineError, match="has never held ami-00000000"):
        rollback.run(config_file=stack_file, image_id="ami-00000000")
    assert stack_file.read_text() == TEXT


def test_a_second_time_it_goes_further_back_and_not_forth(channel: Channel, stack_file: Path) -> None:
    oldest, old, bad = (channel.image(name) for name in ("oldest", "old", "bad"))
    for image in (oldest, old, bad, old):
        channel.hold(image)
    rollback.run(config_file=stack_file)
    assert pin(stack_file) == oldest


def test_for_scripts(channel: Channel, stack_file: Path) -> None:
    first, second = channel.image("one", GitCommit="c" * 40), channel.image("two", Revoked="CVE-1")
    for image in (first, second):
        channel.hold(image)
    done = CliRunner().invoke(app, ["rollback", "prod", "--config-file", str(stack_file), "--json"])
    assert done.exit_code == 0
    told = json.loads(done.output)
    assert (told["channel"], told["picked"], told["changed"]) == ("prod", first, True)
    newest, oldest = told["history"]
    assert (newest["imageId"], newest["current"], newest["revoked"]) == (second, True, "CVE-1")
    assert (oldest["imageId"], oldest["gitCommit"], oldest["obstacle"]) == (first, "c" * 40, None)
    assert datetime.fromisoformat(oldest["when"]).utcoffset() == timedelta()
