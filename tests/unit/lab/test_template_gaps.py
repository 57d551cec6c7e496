"""Launch templates that are not there."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lab.paper import source

NONE = "lt-00000000000000000"


def code(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    "call",
    [
        lambda ec2: ec2.describe_launch_templates(LaunchTemplateIds=[NONE]),
        lambda ec2: ec2.describe_launch_template_versions(LaunchTemplateId=NONE, Versions=["1"]),
        lambda ec2: ec2.modify_launch_template(LaunchTemplateId=NONE, DefaultVersion="1"),
        lambda ec2: ec2.delete_launch_template(LaunchTemplateId=NONE),
    ],
)
def test_a_template_that_is_not_there_is_refused_by_its_id(ec2: Any, call: Callable[[Any], object]) -> None:
    assert code(lambda: call(ec2)) == "InvalidLaunchTemplateId.NotFound"


def test_an_id_that_is_none_is_malformed(ec2: Any) -> None:
    described = code(lambda: ec2.describe_launch_templates(LaunchTemplateIds=["lt-1"]))
    assert described == "InvalidLaunchTemplateId.Malformed"


@pytest.mark.parametrize("version", ["2", "0", "newest"])
def test_a_version_that_is_not_there_is_refused(ec2: Any, version: str) -> None:
    made = ec2.create_launch_template(
        LaunchTemplateName="web", LaunchTemplateData={"ImageId": source(ec2), "InstanceType": "t3.micro"}
    )
    template = made["LaunchTemplate"]["LaunchTemplateId"]
    for call in (
        lambda: ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[version]),
        lambda: ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=version),
    ):
        assert code(call) == "InvalidLaunchTemplateId.VersionNotFound"
    [found] = ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=["$Default"])[
        "LaunchTemplateVersions"
    ]
    assert found["VersionNumber"] == 1


def test_the_tags_of_a_template_are_not_among_those_of_what_it_launches(ec2: Any) -> None:
    own = {"ResourceType": "launch-template", "Tags": [{"Key": "Role", "Value": "web"}]}
    launched = {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}
    for number, data in enumerate([{}, {"TagSpecifications": [launched]}]):
        made = ec2.create_launch_template(
            LaunchTemplateName=f"tagged-{number}",
            LaunchTemplateData={"InstanceType": "t3.micro", **data},
            TagSpecifications=[own],
        )["LaunchTemplate"]
        assert made["Tags"] == own["Tags"]
        found = ec2.describe_launch_template_versions(
            LaunchTemplateId=made["LaunchTemplateId"], Versions=["1"]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        assert found.get("TagSpecifications", []) == data.get("TagSpecifications", [])
