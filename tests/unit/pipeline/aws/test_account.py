"""What AWS is asked: as much with two thousand images as with twenty; and what is said when it does not answer."""

import copy
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.ec2.models import ec2_backends

from pipeline.aws.account import Account
from pipeline.aws.patience import Patience
from pipeline.aws.templates import versions
from pipeline.errors import PipelineError
from pipeline.promote import preview_lines
from pipeline.promote.select import choose
from pipeline.promote.standing import Standing
from tests.unit.pipeline.making import REQUEST

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's


def fill(images: int) -> None:
    ec2: Any = boto3.client("ec2", region_name=REGION)
    ssm: Any = boto3.client("ssm", region_name=REGION)
    image = ec2.register_image(Name="web", RootDeviceName="/dev/xvda")["ImageId"]
    tags = {"Role": "web", "Validated": "x"}
    ec2.create_tags(Resources=[image], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    amis = ec2_backends[ACCOUNT][REGION].amis
    amis[image].architecture = "x86_64"
    for number in range(images - 1):
        twin = copy.copy(amis[image])
        twin.id = f"ami-{number:017x}"
        amis[twin.id] = twin
    ssm.put_parameter(Name="/golden-image/web/candidate", Value=image, Type="String")


@pytest.mark.parametrize("images", [20, 2000])
def test_a_preview_asks_as_much_however_many_images_there_are(
    aws: None, calls: list[str], images: int
) -> None:
    fill(images)
    calls.clear()
    account = Account(region=REGION)
    choice = choose(REQUEST, account)
    record = account.channels.history("web", "prod")
    standing = Standing(stack="prod", role="web", channel="prod", record=record)
    preview_lines.about(choice, REQUEST, standing, account, datetime.now(UTC))
    assert calls == ["GetParameter", "DescribeImages", "GetParameterHistory"]


def test_nobody_answers(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(PipelineError, match="AWS was not reached") as caught:
        Account(region=REGION, patience=Patience(seconds=0)).channels.image_id("web", "prod")
    assert "AWS_ENDPOINT_URL" in str(caught.value)


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PipelineError, match="could not open a session") as caught:
        Account(region=REGION, profile="no-such-profile").channels.image_id("web", "prod")
    assert "no-such-profile" in str(caught.value)


def test_the_newest_of_a_filter(aws: None) -> None:
    fill(3)
    found = Account(region=REGION).images.newest(owners=["self"], name="w*b", architecture="arm64")
    assert found is None


def test_a_launch_template_version_that_was_deleted_uses_no_image(aws: None) -> None:
    ec2: Any = boto3.client("ec2", region_name=REGION)
    image = ec2.register_image(Name="web", RootDeviceName="/dev/xvda")["ImageId"]
    named = {"LaunchTemplateName": "another-team", "LaunchTemplateData": {"ImageId": image}}
    ec2.create_launch_template(**named)
    account = Account(region=REGION)
    assert list(account.machines.used_images()) == [image]
    ec2 = account.machines._session.client("ec2")
    with Stubber(ec2) as stub:
        # eksctl-io/eksctl, issue 7786.
        stub.add_client_error(
            "describe_launch_template_versions", "InvalidLaunchTemplateId.VersionNotFound",
            "Could not find the specified version 1 for the launch template with ID lt-1.",
        )  # fmt: skip
        assert versions(ec2, LaunchTemplateId="lt-1", Versions=["1"]) == []
