"""What the identity must be allowed to do, and why: the one list that the permission check reads.

Sources: the calls of Packer's amazon-ebs builder as packer/image.pkr.hcl uses it, those of the aws provider for the
resources under components/, and those of the steps under pipeline/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["preview", "promote", "bake"]

_PREVIEW = {
    "ec2:DescribeImages": "which image a channel or a pin names",
    "ec2:DescribeLaunchTemplates": "the launch template as it is",
    "ec2:DescribeLaunchTemplateVersions": "its versions",
    "ec2:DescribeTags": "whether the tag follows the pointer",
    "ssm:GetParameter": "what a channel holds",
    "ssm:GetParameters": "what several channels hold",
    "ssm:GetParametersByPath": "which channels there are",
    "ssm:GetParameterHistory": "what a channel held before: the rollback targets",
    "ssm:DescribeParameters": "the pointer's description and type",
    "ssm:ListTagsForResource": "the pointer's tags",
}
_PROMOTE = {
    "ec2:CreateTags": "the tag ImageChannel follows the pointer",
    "ec2:DeleteTags": "the displaced image loses that tag",
    "ec2:CreateLaunchTemplate": "the launch template",
    "ec2:CreateLaunchTemplateVersion": "a new version for a new image",
    "ec2:ModifyLaunchTemplate": "the new version becomes the default",
    "ec2:DeleteLaunchTemplate": "the stack is destroyed",
    "ssm:PutParameter": "the pointer moves",
    "ssm:DeleteParameter": "the stack is destroyed",
}
_BAKE = {
    "ec2:DescribeRegions": "Packer looks whether the region exists",
    "ec2:DescribeInstances": "builder and validation machines are waited for",
    "ec2:DescribeInstanceStatus": "the builder is waited for",
    "ec2:DescribeInstanceTypes": "the size of the validation machines",
    "ec2:DescribeKeyPairs": "the key of the validation machines",
    "ec2:DescribeSecurityGroups": "the builder's and the machines' security groups",
    "ec2:DescribeSecurityGroupRules": "the rules of the machines' security group",
    "ec2:DescribeSnapshots": "the image's snapshot is waited for",
    "ec2:DescribeSubnets": "where machines start",
    "ec2:DescribeVolumes": "the builder's volume is tagged",
    "ec2:DescribeVpcs": "the VPC of the subnet",
    "ec2:RunInstances": "builder and validation machines start",
    "ec2:StopInstances": "the builder stops before the snapshot, a machine after its checks",
    "ec2:StartInstances": "a stopped validation machine is checked again",
    "ec2:TerminateInstances": "they go",
    "ec2:ModifyInstanceAttribute": "a validation machine stops itself and is not terminated",
    "ec2:GetConsoleOutput": "what a machine that never answered printed",
    "ec2:CreateKeyPair": "the builder's temporary key",
    "ec2:ImportKeyPair": "the validation machines' key",
    "ec2:DeleteKeyPair": "both go",
    "ec2:CreateSecurityGroup": "the builder's temporary security group, and the machines' one",
    "ec2:DeleteSecurityGroup": "both go",
    "ec2:AuthorizeSecurityGroupIngress": "SSH, and the checked ports, from this machine",
    "ec2:AuthorizeSecurityGroupEgress": "the machines reach out",
    "ec2:RevokeSecurityGroupIngress": "a changed range replaces its rule",
    "ec2:RevokeSecurityGroupEgress": "the provider removes EC2's own allow-all rule",
    "ec2:CreateImage": "the image",
    "ec2:DeregisterImage": "a bake that breaks off after CreateImage leaves no image",
    "ec2:DeleteSnapshot": "nor a snapshot",
    "ec2:CreateTags": "builder, volume, snapshot and image are tagged",
}
_KINDS: Mapping[Kind, Mapping[str, str]] = {
    "preview": _PREVIEW,
    "promote": {**_PREVIEW, **_PROMOTE},
    "bake": {**_PREVIEW, **_PROMOTE, **_BAKE},
}
assert set(_KINDS) == set(get_args(Kind))  # noqa: S101 - a kind without a list would need nothing


def needed_actions(kind: Kind) -> Mapping[str, str]:
    """IAM action to the reason why it is needed.

    Args:
        kind: ``preview``: a preview of any stack. ``promote``: an update of a stack that takes an existing image.
            ``bake``: an update of a stack that makes its image itself. Each holds the one before.
    """
    return _KINDS[kind]
