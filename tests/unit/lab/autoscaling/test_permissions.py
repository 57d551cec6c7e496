"""Who may do what with groups in the lab: by a group's name and tags, and by the launch template that a call names."""

from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from lab import settings
from tests.policies import document
from tests.unit.lab.scaling import Account

PROD = {"Key": "ImageChannel", "Value": "prod"}
OTHER = {"Key": "ImageChannel", "Value": "pre-prod"}
Client = Callable[[str], Any]


@pytest.fixture
def promoter(account: Account) -> Client:
    """Makes clients of a caller who promotes to prod, which has a group."""
    url = account.ec2.meta.endpoint_url
    policies = [document("promote"), document("group")]
    httpx.put(f"{url}/lab-api/permissions", json={"promoter": policies}).raise_for_status()
    account.ec2.create_tags(Resources=[account.template], Tags=[PROD])

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=url, region_name=settings.REGION,
            aws_access_key_id="promoter", aws_secret_access_key="lab",
        )  # fmt: skip

    return client


def create(scaling: Any, name: str, template: str, *tags: dict[str, str]) -> None:
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name, MinSize=0, MaxSize=1, VPCZoneIdentifier=settings.SUBNET_ID,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        Tags=[{"ResourceId": name, "ResourceType": "auto-scaling-group", **tag} for tag in tags],
    )  # fmt: skip


def other_template(account: Account) -> str:
    made = account.ec2.create_launch_template(
        LaunchTemplateName="other",
        LaunchTemplateData={"InstanceType": "t3.micro"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [OTHER]}],
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def test_a_group_of_the_channel_is_made_changed_and_removed(account: Account, promoter: Client) -> None:
    scaling = promoter("autoscaling")
    create(scaling, "web-prod", account.template, PROD)
    scaling.update_auto_scaling_group(AutoScalingGroupName="web-prod", MaxSize=2)
    scaling.delete_auto_scaling_group(AutoScalingGroupName="web-prod")


def test_one_that_is_not_called_or_tagged_so_is_not_made(account: Account, promoter: Client) -> None:
    scaling = promoter("autoscaling")
    for name, tags in {"web-prod": [], "web-pre-prod": [OTHER], "web-staging": [PROD]}.items():
        with pytest.raises(ClientError, match=f"CreateAutoScalingGroup on resource: .*GroupName/{name} "):
            create(scaling, name, account.template, *tags)


def test_one_from_the_template_of_another_stage_is_not_made(account: Account, promoter: Client) -> None:
    other = other_template(account)
    with pytest.raises(ClientError, match=f"ec2:RunInstances on resource: .*launch-template/{other} "):
        create(promoter("autoscaling"), "web-prod", other, PROD)


def test_the_channel_s_group_does_not_move_to_the_template_of_another_stage(
    account: Account, promoter: Client
) -> None:
    scaling, other = promoter("autoscaling"), other_template(account)
    create(scaling, "web-prod", account.template, PROD)
    named = {"LaunchTemplateId": other, "Version": "1"}
    with pytest.raises(ClientError, match=f"ec2:RunInstances on resource: .*launch-template/{other} "):
        scaling.update_auto_scaling_group(AutoScalingGroupName="web-prod", LaunchTemplate=named)
    with pytest.raises(ClientError, match=f"ec2:RunInstances on resource: .*launch-template/{other} "):
        scaling.start_instance_refresh(
            AutoScalingGroupName="web-prod", DesiredConfiguration={"LaunchTemplate": named}
        )


def test_a_group_of_another_stage_is_not_tagged_into_the_channel(account: Account, promoter: Client) -> None:
    """Its name may end like one of the channel's: a channel's own name may have a hyphen."""
    create(account.scaling, "web-pre-prod", account.template, OTHER)
    tag = {"ResourceId": "web-pre-prod", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    with pytest.raises(ClientError, match="autoscaling:CreateOrUpdateTags on resource"):
        promoter("autoscaling").create_or_update_tags(Tags=[{**tag, **PROD}])
    with pytest.raises(ClientError, match="autoscaling:DeleteTags on resource"):
        promoter("autoscaling").delete_tags(Tags=[{**tag, **OTHER}])


def test_only_a_channel_s_own_templates_launch(account: Account, promoter: Client) -> None:
    create(account.scaling, "web-prod", account.template, PROD)
    account.scaling.update_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=1)
    account.advance(0)
    (member,) = account.scaling.describe_auto_scaling_instances()["AutoScalingInstances"]
    ec2 = promoter("ec2")
    ec2.get_console_output(InstanceId=member["InstanceId"])
    image = account.ec2.describe_images()["Images"][0]["ImageId"]
    alone = account.ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    with pytest.raises(ClientError, match="ec2:GetConsoleOutput on resource"):
        ec2.get_console_output(InstanceId=alone["Instances"][0]["InstanceId"])
    with pytest.raises(ClientError, match="ec2:RunInstances on resource"):
        ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)


def test_a_rejection_is_written_in_the_channel_s_own_name(account: Account, promoter: Client) -> None:
    image = account.ec2.describe_images()["Images"][0]["ImageId"]
    ec2 = promoter("ec2")
    ec2.create_tags(
        Resources=[image], Tags=[{"Key": "Rejected", "Value": "prod 2026-01-01T00:00:00Z it died"}]
    )
    ec2.create_tags(
        Resources=[image], Tags=[{"Key": "Deployed-prod", "Value": "2026-01-01T00:00:00Z creation"}]
    )
    for key, value in {"Rejected": "staging 2026-01-01T00:00:00Z it died", "Deployed-staging": "x"}.items():
        with pytest.raises(ClientError, match="ec2:CreateTags on resource"):
            ec2.create_tags(Resources=[image], Tags=[{"Key": key, "Value": value}])
    with pytest.raises(ClientError, match="ec2:DeleteTags on resource"):
        ec2.delete_tags(Resources=[image], Tags=[{"Key": "Rejected"}])
