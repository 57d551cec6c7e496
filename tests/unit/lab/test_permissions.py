"""Who may do what in the lab: by action, by resource, and by tags."""

from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from lab import settings
from tests.unit.lab.paper import source

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ec2:DescribeImages", "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:DescribeInstances", "Resource": "arn:aws:ec2:*:*:instance/*"},
        {
            "Effect": "Allow",
            "Action": "cloudwatch:DescribeAlarms",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/ManagedBy": "packer"}},
        },
        {
            "Effect": "Allow",
            "Action": "ec2:DescribeInstanceAttribute",
            "Resource": "arn:aws:ec2:*:*:instance/*",
            "Condition": {"StringEquals": {"ec2:ResourceTag/ManagedBy": "packer"}},
        },
        {
            "Effect": "Allow",
            "Action": ["ssm:GetParameter", "ssm:PutParameter"],
            "Resource": "arn:aws:ssm:*:*:parameter/golden-image/*/candidate",
        },
        {
            "Effect": "Allow",
            "Action": "ec2:CreateSecurityGroup",
            "Resource": "arn:aws:ec2:*:*:security-group/*",
            "Condition": {"StringEquals": {"aws:RequestTag/ManagedBy": "packer"}},
        },
        {
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": "arn:aws:ec2:*:*:*/*",
            "Condition": {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}},
        },
        {
            "Effect": "Allow",
            "Action": "ec2:DeleteSecurityGroup",
            "Resource": "arn:aws:ec2:*:*:security-group/*",
            "Condition": {
                "StringEquals": {"aws:ResourceTag/ManagedBy": "packer"},
                "Null": {"aws:ResourceTag/Keep": "true"},
            },
        },
        {
            "Effect": "Allow",
            "Action": ["ec2:CreateTags", "ec2:DeleteTags"],
            "Resource": "arn:aws:ec2:*:*:security-group/*",
            "Condition": {
                "ForAllValues:StringEquals": {"aws:TagKeys": ["Note", "Keep"]},
                "Null": {"aws:TagKeys": "false"},
            },
        },
    ],
}


def group(client: Any, name: str, **tags: str) -> str:
    """A security group with tags."""
    specified = [{"Key": key, "Value": value} for key, value in tags.items()]
    made: str = client.create_security_group(
        GroupName=name,
        Description=name,
        TagSpecifications=[{"ResourceType": "security-group", "Tags": specified}],
    )["GroupId"]
    return made


@pytest.fixture
def restricted(ec2: Any) -> Any:
    """Makes clients of a caller who is under a policy."""
    url = f"{ec2.meta.endpoint_url}/lab-api/permissions"
    httpx.put(url, json={"somebody": [POLICY]}).raise_for_status()

    def client(service: str, key: str = "somebody") -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=ec2.meta.endpoint_url,
            region_name=settings.REGION,
            aws_access_key_id=key,
            aws_secret_access_key="lab",
        )

    return client


def test_what_the_policy_lists_goes_on_as_ever(restricted: Any) -> None:
    assert source(restricted("ec2")).startswith("ami-")


def test_what_it_does_not_list_is_refused_in_ec2s_words(ec2: Any, restricted: Any) -> None:
    with pytest.raises(ClientError) as refused:
        restricted("ec2").create_tags(Resources=[source(ec2)], Tags=[{"Key": "a", "Value": "b"}])
    assert refused.value.response["Error"]["Code"] == "UnauthorizedOperation"
    assert "user/somebody is not authorized to perform: ec2:CreateTags" in str(refused.value)
    assert ec2.describe_tags()["Tags"] == [], "and not done"


def test_an_action_about_no_resource_is_allowed_for_all_or_not_at_all(restricted: Any) -> None:
    """Such an action has no ARN, and nothing that could bear a tag."""
    with pytest.raises(ClientError, match="ec2:DescribeInstances"):
        restricted("ec2").describe_instances()
    with pytest.raises(ClientError, match="cloudwatch:DescribeAlarms"):
        restricted("cloudwatch").describe_alarms()


def test_a_parameter_is_named_by_the_policy(restricted: Any) -> None:
    ssm = restricted("ssm")
    ssm.put_parameter(Name="/golden-image/web/candidate", Value="ami-1", Type="String")
    assert ssm.get_parameter(Name="/golden-image/web/candidate")["Parameter"]["Value"] == "ami-1"
    with pytest.raises(ClientError, match="parameter/golden-image/web/prod") as refused:
        ssm.put_parameter(Name="/golden-image/web/prod", Value="ami-1", Type="String")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"


def test_nobody_is_refused_to_ask_who_they_are(restricted: Any) -> None:
    assert restricted("sts").get_caller_identity()["Account"] == settings.ACCOUNT_ID
    with pytest.raises(ClientError, match="AccessDenied"):
        restricted("autoscaling").describe_auto_scaling_groups()
    with pytest.raises(ClientError, match="cloudwatch:DescribeAlarms"):
        restricted("cloudwatch").describe_alarms()


def test_who_has_no_policy_may_do_everything(ec2: Any, restricted: Any) -> None:
    restricted("ec2", key="lab").create_tags(Resources=[source(ec2)], Tags=[{"Key": "a", "Value": "b"}])
    assert len(ec2.describe_tags()["Tags"]) == 1


def test_what_is_created_must_be_tagged(restricted: Any) -> None:
    group(restricted("ec2"), "mine", ManagedBy="packer")
    with pytest.raises(ClientError, match="not authorized to perform: ec2:CreateSecurityGroup on resource"):
        group(restricted("ec2"), "other", ManagedBy="hand")


def test_only_what_bears_the_tag_is_deleted(ec2: Any, restricted: Any) -> None:
    others = group(ec2, "others", ManagedBy="hand")
    kept = group(ec2, "kept", ManagedBy="packer", Keep="yes")
    mine = group(ec2, "mine", ManagedBy="packer")
    client = restricted("ec2")
    for refused in (others, kept):
        with pytest.raises(ClientError, match=f"ec2:DeleteSecurityGroup on resource: .*/{refused}"):
            client.delete_security_group(GroupId=refused)
    client.delete_security_group(GroupId=mine)
    left = {found["GroupId"] for found in ec2.describe_security_groups()["SecurityGroups"]}
    assert {others, kept} <= left
    assert mine not in left


def test_only_some_keys_are_written_and_never_all_deleted(ec2: Any, restricted: Any) -> None:
    mine = group(ec2, "mine", ManagedBy="packer")
    client = restricted("ec2")
    client.create_tags(Resources=[mine], Tags=[{"Key": "Note", "Value": "ami-01234567"}])
    with pytest.raises(ClientError, match="ec2:CreateTags"):
        client.create_tags(
            Resources=[mine], Tags=[{"Key": "Note", "Value": "a"}, {"Key": "Role", "Value": "b"}]
        )
    with pytest.raises(ClientError, match="ec2:DeleteTags"):
        client.delete_tags(Resources=[mine])
    client.delete_tags(Resources=[mine], Tags=[{"Key": "Note"}])
    assert [tag["Key"] for tag in ec2.describe_tags()["Tags"]] == ["ManagedBy"]


def test_an_attribute_is_one_machine_s(ec2: Any, restricted: Any) -> None:
    made = [ec2.run_instances(ImageId=source(ec2), MinCount=1, MaxCount=1)["Instances"][0] for _ in range(2)]
    mine, others = (one["InstanceId"] for one in made)
    ec2.create_tags(Resources=[mine], Tags=[{"Key": "ManagedBy", "Value": "packer"}])
    asked = {"Attribute": "disableApiTermination"}
    assert restricted("ec2").describe_instance_attribute(InstanceId=mine, **asked)["InstanceId"] == mine
    with pytest.raises(ClientError, match=f"ec2:DescribeInstanceAttribute on resource: .*/{others}"):
        restricted("ec2").describe_instance_attribute(InstanceId=others, **asked)
