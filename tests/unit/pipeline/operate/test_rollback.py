"""Going back: the channel's record, the pick, and one line; nothing in AWS."""

import io
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from pipeline import net
from pipeline.cli.app import app
from pipeline.errors import PipelineError
from pipeline.operate import rollback

REGION = "eu-west-1"
TEXT = (
    "config:\n  aws:region: eu-west-1\n  golden-image:role: web\n"
    "  golden-image:channel: prod\n  golden-image:from: candidate\n"
)


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


def roll_back(stack_file: Path, image_id: str | None = None) -> rollback.Outcome:
    """As the command does it, without showing it."""
    outcome = rollback.run(stack="prod", config_file=stack_file, image_id=image_id)
    outcome.after.write()
    return outcome


def test_the_previous_one(channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = channel.image("one", GitCommit="c" * 40), channel.image("two")
    for image in (first, second):
        channel.hold(image)
    rollback.show(roll_back(stack_file), "prod")
    assert pin(stack_file) == first
    shown = capsys.readouterr().out
    assert f"+  golden-image:image: {first}" in shown
    assert "one" in shown
    assert "c" * 12 in shown
    assert "nothing has changed in AWS" in shown


def test_what_was_rejected_and_deployed(
    channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, deployed = channel.image("old"), channel.image("deployed")
    channel.ec2.create_tags(
        Resources=[deployed], Tags=[{"Key": "Deployed-prod", "Value": "2026-02-01T00:00:00Z r-1"}]
    )
    here = channel.image("here", Rejected="prod 2026-02-02T00:00:00Z target unhealthy")
    before = channel.image("before", Rejected="qa 2026-02-02T00:00:00Z boom")
    elsewhere = channel.image("elsewhere", Rejected="other 2026-02-02T00:00:00Z boom")
    text = "The image that channel candidate of role web holds, taken from qa (0a1b2c3d)"
    channel.ssm.put_parameter(Name="/golden-image/web/candidate", Value=old, Type="String", Description=text)
    for image in (old, deployed, elsewhere, here, before):
        channel.hold(image)
    outcome = roll_back(stack_file)
    assert pin(stack_file) == elsewhere
    rows = {row["imageId"]: row for row in rollback.as_json(outcome)["history"]}
    assert rows[here]["obstacle"] == "rejected: prod 2026-02-02T00:00:00Z target unhealthy"
    assert rows[before]["obstacle"] == "rejected: qa 2026-02-02T00:00:00Z boom"
    assert rows[elsewhere]["obstacle"] is None
    assert rows[elsewhere]["rejected"] == "other 2026-02-02T00:00:00Z boom"
    assert (rows[deployed]["deployed"], rows[old]["deployed"]) == ("2026-02-01T00:00:00Z r-1", None)
    rollback.show(outcome, "prod")
    shown = capsys.readouterr().out
    assert "deployed" in shown.split("┃")[8]
    assert "rejected: prod" in shown


def test_a_channel_without_a_group_has_no_column_for_it(
    channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        channel.hold(channel.image(name))
    rollback.show(roll_back(stack_file), "prod")
    assert "deployed" not in capsys.readouterr().out


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
    roll_back(stack_file)
    assert pin(stack_file) == good
    for image, why in ((gone, "gone"), (revoked, "revoked: CVE-1"), (bare, "never validated")):
        with pytest.raises(PipelineError, match=why):
            roll_back(stack_file, image)


def test_one_by_its_id_and_twice(
    channel: Channel, stack_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [channel.image(name) for name in ("one", "two", "three")]
    for image in images:
        channel.hold(image)
    roll_back(stack_file, images[0])
    assert pin(stack_file) == images[0]
    rollback.show(roll_back(stack_file, images[0]), "prod")
    assert "pins" in capsys.readouterr().out


def test_nothing_to_go_back_to(channel: Channel, stack_file: Path) -> None:
    with pytest.raises(PipelineError, match="channel prod of role web has no history"):
        roll_back(stack_file)
    only = channel.image("only")
    channel.hold(only)
    with pytest.raises(PipelineError, match="has no earlier image"):
        roll_back(stack_file)
    with pytest.raises(PipelineError, match="has never held ami-00000000"):
        roll_back(stack_file, "ami-00000000")
    assert stack_file.read_text() == TEXT


def test_a_second_time_it_goes_further_back_and_not_forth(channel: Channel, stack_file: Path) -> None:
    oldest, old, bad = (channel.image(name) for name in ("oldest", "old", "bad"))
    for image in (oldest, old, bad, old):
        channel.hold(image)
    roll_back(stack_file)
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


def command(monkeypatch: pytest.MonkeyPatch, stack_file: Path, *options: str) -> int:
    """`python -m pipeline rollback prod`, to its exit status."""
    argv = ["pipeline", "rollback", "prod", "--config-file", str(stack_file), *options]
    monkeypatch.setattr(sys, "argv", argv)
    return net.run(app)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_was_not_shown_is_not_written(
    channel: Channel, stack_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, options: tuple[str, ...]
) -> None:
    for image in (channel.image("one"), channel.image("two")):
        channel.hold(image)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert command(monkeypatch, stack_file, *options) == 1
    assert stack_file.read_text() == TEXT
    said = capsys.readouterr().err
    assert said.startswith("error: the output could not be written\n  seen:    No space left on device\n")
    monkeypatch.setattr(sys, "stdout", None)
    assert command(monkeypatch, stack_file, *options) == 1
    assert stack_file.read_text() == TEXT


def test_a_terminal_without_the_arrow(
    channel: Channel, stack_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = channel.image("eins", GitCommit="c" * 40), channel.image("zwölf")
    for image in (first, second):
        channel.hold(image)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert command(monkeypatch, stack_file) == 0
    assert pin(stack_file) == first
    assert b"zw\\xf6lf" in raw.getvalue()


def test_no_name_in_the_account_reaches_the_terminal_as_a_command(
    channel: Channel, stack_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    first = channel.image("[red]one[/red] [link=http://evil]x[/link]", GitCommit="\u202edead")
    for image in (first, channel.image("two", Revoked="\u2028[bold]no[/]")):
        channel.hold(image)
    assert command(monkeypatch, stack_file) == 0
    shown = capsys.readouterr().out
    assert "[red]one[/red]" in shown.replace("\n", "")
    assert "\u202e" not in shown
    assert "\x1b" not in shown
