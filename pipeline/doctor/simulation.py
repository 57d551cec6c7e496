"""Asks IAM what a principal's policies say (SimulatePrincipalPolicy)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto

from pipeline.doctor.dryrun import (
    GROUP,
    IMAGE,
    INSTANCE,
    KEY,
    RULE,
    SNAPSHOT,
    TEMPLATE,
    VOLUME,
    Answer,
)
from pipeline.model import TAG_CHANNEL, TAG_MANAGED_BY, TAG_PURPOSE, VALIDATION, pointer_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.doctor.account import Account, Identity
    from pipeline.doctor.stacks import Stack

_RESOURCES = {
    "RunInstances": f"instance/{INSTANCE}",
    "StopInstances": f"instance/{INSTANCE}",
    "StartInstances": f"instance/{INSTANCE}",
    "TerminateInstances": f"instance/{INSTANCE}",
    "ModifyInstanceAttribute": f"instance/{INSTANCE}",
    "GetConsoleOutput": f"instance/{INSTANCE}",
    "CreateImage": f"instance/{INSTANCE}",
    "CreateKeyPair": f"key-pair/{KEY}",
    "ImportKeyPair": f"key-pair/{KEY}",
    "DeleteKeyPair": f"key-pair/{KEY}",
    "CreateSecurityGroup": f"security-group/{GROUP}",
    "DeleteSecurityGroup": f"security-group/{GROUP}",
    "AuthorizeSecurityGroupIngress": f"security-group/{GROUP}",
    "AuthorizeSecurityGroupEgress": f"security-group/{GROUP}",
    "RevokeSecurityGroupIngress": f"security-group/{GROUP}",
    "RevokeSecurityGroupEgress": f"security-group/{GROUP}",
    "ModifySecurityGroupRules": f"security-group-rule/{RULE}",
    "DescribeInstanceAttribute": f"instance/{INSTANCE}",
    "DeleteVolume": f"volume/{VOLUME}",
    "CreateLaunchTemplate": f"launch-template/{TEMPLATE}",
    "CreateLaunchTemplateVersion": f"launch-template/{TEMPLATE}",
    "ModifyLaunchTemplate": f"launch-template/{TEMPLATE}",
    "DeleteLaunchTemplate": f"launch-template/{TEMPLATE}",
}
"""What an action is simulated on. On ``*``, IAM's default, a policy for one kind of resource allows nothing."""

_WITHOUT_ACCOUNT = {
    "CreateTags": f"image/{IMAGE}",
    "DeleteTags": f"image/{IMAGE}",
    "CopyImage": f"image/{IMAGE}",
    "DeregisterImage": f"image/{IMAGE}",
    "ModifyImageAttribute": f"image/{IMAGE}",
    "DeleteSnapshot": f"snapshot/{SNAPSHOT}",
}
_LISTS = ("DescribeParameters",)


def resource_of(action: str, *, stack: Stack, account: str, partition: str = "aws") -> str:
    """The ARN that an action is simulated on; ``*`` where it knows no resources."""
    service, _, operation = action.partition(":")
    region = stack.place.region
    if service == "ssm" and operation not in _LISTS:
        return f"arn:{partition}:ssm:{region}:{account}:parameter{pointer_name(stack.role, stack.channel)}"
    if operation in _WITHOUT_ACCOUNT:
        return f"arn:{partition}:ec2:{region}::{_WITHOUT_ACCOUNT[operation]}"
    if operation in _RESOURCES:
        return f"arn:{partition}:ec2:{region}:{account}:{_RESOURCES[operation]}"
    return "*"


def context(stack: Stack) -> dict[str, str]:
    """What the real calls bring with them, for policies with conditions: condition key to its value.

    A bake's things and a validation's are both told, as an action may be for either.
    """
    tags = {TAG_MANAGED_BY: "packer", TAG_PURPOSE: VALIDATION, TAG_CHANNEL: stack.channel}
    return {
        "aws:RequestedRegion": stack.place.region,
        "aws:TagKeys": TAG_CHANNEL,
        "ec2:MetadataHttpTokens": "required",
        **{f"aws:{kind}Tag/{key}": value for key, value in tags.items() for kind in ("Request", "Resource")},
    }


def verdict(result: Mapping[str, Any]) -> Answer:
    """What one result of the simulation says."""
    if result["EvalDecision"] == "allowed":
        return Answer.ALLOWED
    # A condition on something that only a real call has, such as a tag: the policy may allow it all the same.
    if result["EvalDecision"] == "implicitDeny" and result.get("MissingContextValues"):
        return Answer.UNKNOWN
    return Answer.DENIED


def simulate(account: Account, identity: Identity, actions: Iterable[str], stack: Stack) -> dict[str, Answer]:
    """What the identity's policies, boundaries and organization say of each action of a stack's update.

    Raises:
        botocore.exceptions.ClientError: IAM does not allow to ask, or knows no such principal.
        botocore.exceptions.BotoCoreError: IAM was not reached.
    """
    iam = account.client("iam")
    principal = _principal(iam, identity.arn)
    partition = identity.arn.split(":")[1]
    groups: dict[str, list[str]] = defaultdict(list)
    for action in actions:
        arn = resource_of(action, stack=stack, account=identity.account, partition=partition)
        groups[arn].append(action)
    entries = [
        {
            "ContextKeyName": key,
            "ContextKeyType": "stringList" if key == "aws:TagKeys" else "string",
            "ContextKeyValues": [value],
        }
        for key, value in context(stack).items()
    ]
    return {
        result["EvalActionName"]: verdict(result)
        for arn, names in groups.items()
        for page in iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=principal, ActionNames=names, ResourceArns=[arn], ContextEntries=entries
        )
        for result in page["EvaluationResults"]
    }


def _principal(iam: Any, arn: str) -> str:
    """The user or role behind an identity: STS names a session of a role, and leaves its path out."""
    if ":assumed-role/" not in arn:
        return arn
    name = arn.split("/")[1]
    try:
        found: str = iam.get_role(RoleName=name)["Role"]["Arn"]
    except boto.ClientError:
        # May be forbidden where the simulation is not; a role of the default path is then named right all the same.
        return f"{arn.partition('assumed-role')[0].replace(':sts:', ':iam:')}role/{name}"
    return found
