"""Asks whether a call would be allowed, without changing anything.

EC2's calls know a parameter for that, ``DryRun``; SSM's do not, so that there only what reads can be tried.

EC2 then answers ``DryRunOperation`` for "would have succeeded" and ``UnauthorizedOperation`` for "you may not". Calls
about things that exist name one that does not, so that nothing of anybody's could be touched; EC2 may then answer
that it does not exist, which says nothing about permissions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore import xform_name

from pipeline.aws.causes import DENIED
from pipeline.doctor.account import code_of
from pipeline.model import POINTER_ROOT, TAG_CHANNEL, TAG_MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.doctor.account import Account

INSTANCE = "i-00000000000000000"
IMAGE = "ami-00000000000000000"
GROUP = "sg-00000000000000000"
RULE = "sgr-00000000000000000"
SNAPSHOT = "snap-00000000000000000"
TEMPLATE = "lt-00000000000000000"
VOLUME = "vol-00000000000000000"
NAME = "golden-image-doctor"
KEY = f"packer_{NAME}"
"""Named as the builder's key is: a policy may know it by that."""

BUILD = {TAG_MANAGED_BY: "packer"}
"""The tag that everything of a bake bears, and that a policy may insist on."""

_RANGE = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}]
_TAGS = [{"Key": TAG_CHANNEL, "Value": NAME}]
_ROLE = f"{POINTER_ROOT}/{NAME}"
_POINTER = f"{_ROLE}/none"
_DATA = {"InstanceType": "t3.micro"}
_READS: dict[str, dict[str, Any]] = {
    "ssm:GetParameter": {"Name": _POINTER},
    "ssm:GetParametersByPath": {"Path": _ROLE},
    "ssm:GetParameterHistory": {"Name": _POINTER},
    "ssm:DescribeParameters": {"MaxResults": 1},
    "ssm:ListTagsForResource": {"ResourceType": "Parameter", "ResourceId": _POINTER},
}
_ON_NOTHING: dict[str, dict[str, Any]] = {
    "StopInstances": {"InstanceIds": [INSTANCE]},
    "StartInstances": {"InstanceIds": [INSTANCE]},
    "TerminateInstances": {"InstanceIds": [INSTANCE]},
    "DescribeInstanceAttribute": {"InstanceId": INSTANCE, "Attribute": "instanceType"},
    "ModifyInstanceAttribute": {
        "InstanceId": INSTANCE,
        "InstanceInitiatedShutdownBehavior": {"Value": "stop"},
    },
    "GetConsoleOutput": {"InstanceId": INSTANCE},
    "DeleteSecurityGroup": {"GroupId": GROUP},
    "AuthorizeSecurityGroupIngress": {"GroupId": GROUP, "IpPermissions": _RANGE},
    "AuthorizeSecurityGroupEgress": {"GroupId": GROUP, "IpPermissions": _RANGE},
    "RevokeSecurityGroupIngress": {"GroupId": GROUP, "IpPermissions": _RANGE},
    "RevokeSecurityGroupEgress": {"GroupId": GROUP, "IpPermissions": _RANGE},
    "ModifySecurityGroupRules": {
        "GroupId": GROUP,
        "SecurityGroupRules": [{"SecurityGroupRuleId": RULE, "SecurityGroupRule": {"IpProtocol": "tcp"}}],
    },
    "CreateImage": {"InstanceId": INSTANCE, "Name": NAME},
    "DeregisterImage": {"ImageId": IMAGE},
    "ModifyImageAttribute": {"ImageId": IMAGE, "Description": {"Value": NAME}},
    "DeleteSnapshot": {"SnapshotId": SNAPSHOT},
    "DeleteVolume": {"VolumeId": VOLUME},
    "CreateTags": {"Resources": [IMAGE], "Tags": _TAGS},
    "DeleteTags": {"Resources": [IMAGE], "Tags": _TAGS},
    "CreateLaunchTemplateVersion": {"LaunchTemplateId": TEMPLATE, "LaunchTemplateData": _DATA},
    "ModifyLaunchTemplate": {"LaunchTemplateId": TEMPLATE, "DefaultVersion": "1"},
    "DeleteLaunchTemplate": {"LaunchTemplateId": TEMPLATE},
}
"""Calls about what does not exist. A policy with conditions on its tags refuses them, too, and that says nothing."""

_WELL = ("DryRunOperation", "ParameterNotFound", "InvalidResourceId")
"""Answers that only who may ask gets. SSM looks at the permission before it looks for the parameter."""


@dataclass(frozen=True, kw_only=True)
class Real:
    """What calls can be tried with.

    Attributes:
        region: The stack's region.
        channel: The channel that the stack promotes into.
        image_id: An image that exists, or None.
        subnet_id: A subnet that exists, or None.
    """

    region: str
    channel: str
    image_id: str | None = None
    subnet_id: str | None = None


class Answer(Enum):
    """What is known about one action."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNKNOWN = "unknown"


def as_made(action: str, real: Real) -> dict[str, Any] | None:
    """What a call that makes something, or that reads, is tried with; None if it cannot be tried.

    Args:
        action: Such as ``RunInstances``.
        real: What exists.
    """
    machine = {
        "ImageId": real.image_id,
        "InstanceType": "t3.micro",
        "MinCount": 1,
        "MaxCount": 1,
        "MetadataOptions": {"HttpTokens": "required"},
        **_specified("instance", BUILD),
        **({"SubnetId": real.subnet_id} if real.subnet_id else {}),
    }
    copy = {"SourceImageId": real.image_id, "SourceRegion": real.region, "Name": NAME}
    known: dict[str, dict[str, Any] | None] = {
        "RunInstances": machine if real.image_id else None,
        "CopyImage": copy if real.image_id else None,
        "CreateKeyPair": {"KeyName": KEY, **_specified("key-pair", BUILD)},
        "ImportKeyPair": {"KeyName": KEY, "PublicKeyMaterial": b"ssh-ed25519 AAAA"},
        "DeleteKeyPair": {"KeyName": KEY},
        "CreateSecurityGroup": {
            "GroupName": NAME,
            "Description": NAME,
            **_specified("security-group", BUILD),
        },
        "CreateLaunchTemplate": {
            "LaunchTemplateName": NAME,
            "LaunchTemplateData": _DATA,
            **_specified("launch-template", {TAG_CHANNEL: real.channel}),
        },
        "DescribeLaunchTemplateVersions": {"Versions": ["$Default"]},
        "DescribeInstanceTypes": {"InstanceTypes": ["t3.micro"]},
        "DescribeInstanceCreditSpecifications": {
            "Filters": [{"Name": "instance-id", "Values": [INSTANCE]}],
        },
    }
    if action in known:
        return known[action]
    return {} if action.startswith("Describe") else None


def _specified(kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
    written = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": written}]}


def attempt(account: Account, action: str, real: Real) -> Answer:
    """Try one action, such as ``ec2:CreateImage``.

    Raises:
        botocore.exceptions.BotoCoreError: AWS was not reached.
    """
    service, _, operation = action.partition(":")
    if service == "ec2":
        given = _ON_NOTHING.get(operation) or as_made(operation, real)
        given = None if given is None else {"DryRun": True, **given}
    else:
        given = _READS.get(action)
    if given is None:
        return Answer.UNKNOWN
    try:
        getattr(account.client(service), xform_name(operation))(**given)
    except boto.ClientError as error:
        code = code_of(error)
        if code in _WELL:
            return Answer.ALLOWED
        return Answer.DENIED if code in DENIED and operation not in _ON_NOTHING else Answer.UNKNOWN
    return Answer.ALLOWED
