"""What is read of an account for a stack with a group: as much as is needed, and nothing without a group."""

from typing import Any

import boto3
import pytest

from pipeline.aws.account import Account
from pipeline.aws.groups import Groups
from pipeline.rollout import outlook
from tests.unit.pipeline.making import NOON
from tests.unit.pipeline.rollout.making import ARN, SUBNET, group, keys, refresh, version
from tests.unit.pipeline.rollout.making import outlook as made
from tests.unit.pipeline.settings.test_load import PROD, parse

REGION = "eu-west-1"


def client(service: str) -> Any:
    return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]


@pytest.fixture
def subnet(aws: None) -> str:
    found: str = client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    return found


def read(**group: Any) -> outlook.Outlook | None:
    fleet = {"fleet": {"group": {"minSize": 1, "maxSize": 3, **group}}} if group else {}
    return outlook.read(parse(PROD | fleet), Account(region=REGION), NOON)


def test_a_stack_without_a_group_reads_nothing(aws: None, calls: list[str]) -> None:
    assert read() is None
    assert calls == []


def test_before_the_group_is_there(subnet: str, calls: list[str]) -> None:
    found = read(subnetIds=[subnet])
    assert found is not None
    assert (found.group, found.missing_subnets, found.name) == (None, [], "web-prod")
    assert calls == ["DescribeAutoScalingGroups", "DescribeSubnets"]


def test_what_is_missing(subnet: str) -> None:
    client("cloudwatch").put_metric_alarm(
        AlarmName="errors", MetricName="m", Namespace="n", ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1, Threshold=1, Period=60, Statistic="Sum",
    )  # fmt: skip
    client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="x")
    arn = client("elbv2").create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc(subnet))[
        "TargetGroups"
    ][0]["TargetGroupArn"]
    found = read(
        subnetIds=[subnet, SUBNET], targetGroupArns=[arn, ARN], refresh={"alarms": ["errors", "gone"]}
    )
    assert found is not None
    assert (found.missing_subnets, found.missing_target_groups) == ([SUBNET], [ARN])
    assert found.alarms == {"errors": "ALARM"}


def vpc(subnet: str) -> str:
    found: str = client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    return found


def test_the_group_and_the_channel_s_template(subnet: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = refresh("InProgress", version(1))
    monkeypatch.setattr(Groups, "refreshes", lambda self, name: [one])
    ec2 = client("ec2")
    image = ec2.register_image(Name="web", RootDeviceName="/dev/xvda")["ImageId"]
    templates = {
        channel: ec2.create_launch_template(
            LaunchTemplateName=f"web-{channel}", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"},
            TagSpecifications=[{
                "ResourceType": "launch-template",
                "Tags": [{"Key": "Role", "Value": "web"}, {"Key": "ImageChannel", "Value": channel}],
            }],
        )["LaunchTemplate"]["LaunchTemplateId"]
        for channel in ("prod", "candidate")
    }  # fmt: skip
    client("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="web-prod", MinSize=0, MaxSize=3, VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": templates["prod"], "Version": "1"},
    )  # fmt: skip
    found = read(subnetIds=[subnet])
    assert found is not None
    assert found.group is not None
    assert found.group.version == version(1, templates["prod"])
    assert (found.templates, found.refreshes, found.since) == ([templates["prod"]], [one], NOON)


@pytest.mark.parametrize(
    ("desired", "config", "wanted"),
    [(3, {}, 3), (3, {"desiredCapacity": 4}, 4), (3, {"maxSize": 2}, 2), (1, {"minSize": 2}, 2)],
)
def test_how_many_machines_there_will_be(desired: int, config: dict[str, Any], wanted: int) -> None:
    assert made(group(version(1), desired=desired), said=keys(**config)).desired == wanted
