"""Asks whether a call would be allowed, without changing anything.

EC2's calls know a parameter for that, ``DryRun``; SSM's do not, so that there only what reads can be tried.

EC2 then answers ``DryRunOperation`` for "would have succeeded" and ``UnauthorizedOperation`` for "you may not". Calls
about things that exist name one that does not, so that nothing of anybody's could be touched; EC2 may then answer
that it does not exist, which says nothing about permissions.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore import xform_name

from pipeline.model import POINTER_ROOT
from pipeline.readiness.account import DENIED, code_of

if TYPE_CHECKING:
    from pipeline.readiness.account import Account

INSTANCE = "i-00000000000000000"
IMAGE = "ami-00000000000000000"
GROUP = "sg-00000000000000000"
TEMPLATE = "lt-00000000000000000"
NAME = "golden-image-doctor"
_RULE = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}]
_TAG = [{"Key": NAME, "Value": "dry run"}]
_POINTER = f"{POINTER_ROOT}/{NAME}/none"
_READS: dict[str, dict[str, Any]] = {
    "ssm:GetParameter": {"Name": _POINTER},
    "ssm:GetParameters": {"Names": [_POINTER]},
    "ssm:GetParametersByPath": {"Path": POINTER_ROOT},
    "ssm:GetParameterHistory": {"Name": _POINTER},
    "ssm:DescribeParameters": {"MaxResults": 1},
    "ssm:ListTagsForResource": {"ResourceType": "Parameter", "ResourceId": _POINTER},
}
_WELL = ("DryRunOperation", "ParameterNotFound", "InvalidResourceId")
"""Answers that only who may ask gets. SSM looks at the permission before it looks for the parameter."""


class Answer(Enum):
    """What is known about one action."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


def arguments(action: str, *, image_id: str | None, subnet_id: str | None) -> dict[str, Any] | None:
    """What a call is tried with; None if it cannot be tried.

    Args:
        action: Such as ``RunInstances``.
        image_id: An image that exists, or None.
        subnet_id: A subnet that exists, or None.
    """
    place = {"SubnetId": subnet_id} if subnet_id else {}
    machine = {"ImageId": image_id, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    groups = {"GroupId": GROUP, "IpPermissions": _RULE}
    known: dict[str, dict[str, Any] | None] = {
        "RunInstances": {**machine, **place} if image_id else None,
        "StopInstances": {"InstanceIds": [INSTANCE]},
        "StartInstances": {"InstanceIds": [INSTANCE]},
        "TerminateInstances": {"InstanceIds": [INSTANCE]},
        "ModifyInstanceAttribute": {
            "InstanceId": INSTANCE,
            "InstanceInitiatedShutdownBehavior": {"Value": "stop"},
        },
        "GetConsoleOutput": {"InstanceId": INSTANCE},
        "CreateKeyPair": {"KeyName": NAME},
        "ImportKeyPair": {"KeyName": NAME, "PublicKeyMaterial": b"ssh-ed25519 AAAA"},
        "DeleteKeyPair": {"KeyName": NAME},
        "CreateSecurityGroup": {"GroupName": NAME, "Description": NAME},
        "DeleteSecurityGroup": {"GroupId": GROUP},
        "AuthorizeSecurityGroupIngress": groups,
        "AuthorizeSecurityGroupEgress": groups,
        "RevokeSecurityGroupIngress": groups,
        "RevokeSecurityGroupEgress": groups,
        "CreateImage": {"InstanceId": INSTANCE, "Name": NAME},
        "DeregisterImage": {"ImageId": IMAGE},
        "DeleteSnapshot": {"SnapshotId": "snap-00000000000000000"},
        "CreateTags": {"Resources": [IMAGE], "Tags": _TAG},
        "DeleteTags": {"Resources": [IMAGE], "Tags": _TAG},
        "CreateLaunchTemplate": {
            "LaunchTemplateName": NAME,
            "LaunchTemplateData": {"InstanceType": "t3.micro"},
        },
        "CreateLaunchTemplateVersion": {
            "LaunchTemplateId": TEMPLATE,
            "LaunchTemplateData": {"InstanceType": "t3.micro"},
        },
        "ModifyLaunchTemplate": {"LaunchTemplateId": TEMPLATE, "DefaultVersion": "1"},
        "DeleteLaunchTemplate": {"LaunchTemplateId": TEMPLATE},
        "DescribeLaunchTemplateVersions": {"Versions": ["$Default"]},
        "DescribeInstanceTypes": {"InstanceTypes": ["t3.micro"]},
    }
    if action in known:
        return known[action]
    return {} if action.startswith("Describe") else None


def attempt(account: Account, action: str, *, image_id: str | None, subnet_id: str | None) -> Answer:
    """Try one action, such as ``ec2:CreateImage``.

    Raises:
        botocore.exceptions.BotoCoreError: EC2 was not reached.
    """
    service, _, operation = action.partition(":")
    given = _READS.get(action)
    if service == "ec2":
        given = arguments(operation, image_id=image_id, subnet_id=subnet_id)
        given = None if given is None else {"DryRun": True, **given}
    if given is None:
        return Answer.UNKNOWN
    try:
        getattr(account.client(service), xform_name(operation))(**given)
    except boto.ClientError as error:
        code = code_of(error)
        if code in _WELL:
            return Answer.ALLOWED
        return Answer.DENIED if code in DENIED else Answer.UNKNOWN
    return Answer.ALLOWED
