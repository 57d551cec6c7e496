"""What a call wants of IAM: which action, on which resources, with which keys of its context.

Thin: EC2's resources are known by their ids in the request and by what an action makes; of the context there are tags,
``ec2:CreateAction``, ``ec2:LaunchTemplate`` and ``ec2:MetadataHttpTokens``. Calls that only describe are about
everything.
Source: Service Authorization Reference, Amazon EC2, Amazon EC2 Auto Scaling and AWS Systems Manager.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab import settings as lab_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lab.calls import Caller

_TYPES = {
    "ami": "image",
    "i": "instance",
    "lt": "launch-template",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
"""Prefix of an id to the resource's type in its ARN."""

_PREFIXES = {"monitoring": "cloudwatch"}
"""Where IAM's name of a service is not the one that calls are signed for."""

_ID = re.compile(rf"({'|'.join(_TYPES)})-[0-9a-f]{{8,17}}")
_NOT_MEANT = ("LaunchTemplateData.", "Tag.", "TagSpecification.", "SecurityGroupRuleId.")
"""Beginnings of parameters whose ids are content, or, of a revoked rule, are not asked about: its group is."""

_MAKES = {
    "CreateImage": ("image", "snapshot"),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateSecurityGroup": ("security-group",),
    "RunInstances": ("instance", "volume", "network-interface"),
}
_OF_NO_ACCOUNT = ("image", "snapshot")
"""Types whose ARN names no account."""

_OF_ONE = frozenset({"DescribeInstanceAttribute"})
"""Calls that describe and yet are about a resource."""

_PARAMETER_KEYS = ("Name", "Path", "ResourceId")
"""Where the calls of SSM name the parameter."""

GROUP = "autoScalingGroupName/"
"""The end of a group's ARN, before its name."""

_LAUNCHES = ("image", "instance", "network-interface", "security-group", "subnet", "volume")
"""What a launch from a template needs beside the template."""

_TAGGED = ("instance", "volume")
"""What the templates of this program tag."""


@dataclass(frozen=True)
class Wanted:
    """One thing that must be allowed.

    Attributes:
        action: Such as ``ec2:RunInstances``.
        resource: An ARN, or None for everything.
        context: Condition key to its value, or to its values.
    """

    action: str
    resource: str | None = None
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


def wanted(
    caller: Caller, action: str, arguments: Mapping[str, Any], tags_of: Callable[[str], Mapping[str, str]]
) -> list[Wanted]:
    """All that must be allowed for a call.

    Args:
        caller: Who calls, and which service.
        action: Such as ``RunInstances``.
        arguments: The call's arguments; of EC2 flat, such as ``InstanceId.1``.
        tags_of: The tags of a resource, by EC2's id or by the end of a group's ARN.
    """
    name = named(caller.service, action)
    if caller.service == "ssm":
        parameter = next((arguments[key] for key in _PARAMETER_KEYS if key in arguments), None)
        return [Wanted(name, None if parameter is None else _arn("ssm", f"parameter{parameter}"))]
    lists = action.startswith("Describe") and action not in _OF_ONE
    if caller.service not in _OF_RESOURCES or lists:
        return [Wanted(name)]
    return list(_OF_RESOURCES[caller.service](action, arguments, tags_of)) or [Wanted(name)]


def named(service: str, action: str) -> str:
    """An action in IAM's words, such as ``cloudwatch:DescribeAlarms``.

    Args:
        service: The service that the call is signed for, such as ``monitoring``.
        action: Such as ``DescribeAlarms``.
    """
    return f"{_PREFIXES.get(service, service)}:{action}"


def _of_ec2(
    action: str, arguments: Mapping[str, Any], tags_of: Callable[[str], Mapping[str, str]]
) -> Iterator[Wanted]:
    name = f"ec2:{action}"
    given = _context(_tags(arguments, "Tag."))
    for parameter, value in arguments.items():
        if parameter == "KeyName":
            yield Wanted(name, _arn("ec2", f"key-pair/{value}"), given)
        elif (found := _ID.fullmatch(str(value))) and not parameter.startswith(_NOT_MEANT):
            yield Wanted(
                name, _arn("ec2", f"{_TYPES[found[1]]}/{value}"), {**given, **_borne(tags_of(value))}
            )
    asked = _specified(arguments)
    launch = {"ec2:MetadataHttpTokens": arguments.get("MetadataOptions.HttpTokens", "optional")}
    for kind in _MAKES.get(action, ()):
        more = launch if kind == "instance" else {}
        yield Wanted(name, _arn("ec2", f"{kind}/new"), {**_context(asked.get(kind, {})), **more})
    for kind, tags in asked.items():
        made = arguments.get("KeyName", "new") if kind == "key-pair" else "new"
        yield Wanted(
            "ec2:CreateTags", _arn("ec2", f"{kind}/{made}"), {**_context(tags), "ec2:CreateAction": action}
        )


def _of_auto_scaling(
    action: str, arguments: Mapping[str, Any], tags_of: Callable[[str], Mapping[str, str]]
) -> Iterator[Wanted]:
    """On the groups that a call names, and of EC2 what launches from the template that it names.

    CreateAutoScalingGroup with tags wants CreateOrUpdateTags, as EC2's calls want CreateTags; the user guide's examples
    allow both together ("Control which tag keys and tag values can be used"). Of a launch template AWS asks whether the
    caller could launch from it (user guide, "Control Amazon EC2 launch template usage in Auto Scaling groups").
    """
    given = _context(_tags(arguments, "Tags.member."))
    names = {arguments.get("AutoScalingGroupName")} | {
        value for key, value in arguments.items() if re.fullmatch(r"Tags\.member\.\d+\.ResourceId", key)
    }
    asked = [action, *(["CreateOrUpdateTags"] if action == "CreateAutoScalingGroup" and given else [])]
    for group in sorted(filter(None, names)):
        context = {**given, **_borne(tags_of(f"{GROUP}{group}"))}
        for each in asked:
            yield Wanted(
                f"autoscaling:{each}", _arn("autoscaling", f"autoScalingGroup:*:{GROUP}{group}"), context
            )
    for prefix in ("", "DesiredConfiguration."):
        template = arguments.get(f"{prefix}LaunchTemplate.LaunchTemplateId")
        if template:
            yield from _of_a_launch(template, tags_of)


def _of_a_launch(template: str, tags_of: Callable[[str], Mapping[str, str]]) -> Iterator[Wanted]:
    arn = _arn("ec2", f"launch-template/{template}")
    context = {"ec2:LaunchTemplate": arn}
    yield Wanted("ec2:RunInstances", arn, {**context, **_borne(tags_of(template))})
    for kind in _LAUNCHES:
        yield Wanted("ec2:RunInstances", _arn("ec2", f"{kind}/any"), context)
    for kind in _TAGGED:
        yield Wanted("ec2:CreateTags", _arn("ec2", f"{kind}/new"), {"ec2:CreateAction": "RunInstances"})


_OF_RESOURCES = {"ec2": _of_ec2, "autoscaling": _of_auto_scaling}
"""The services whose actions are about resources, by what they are signed for."""


def _borne(tags: Mapping[str, str]) -> dict[str, str]:
    """Under the key of all services, and under that of Auto Scaling's or EC2's own."""
    return {
        f"{service}:ResourceTag/{key}": text
        for key, text in tags.items()
        for service in ("aws", "autoscaling", "ec2")
    }


def _arn(service: str, rest: str) -> str:
    account = "" if rest.partition("/")[0] in _OF_NO_ACCOUNT else lab_settings.ACCOUNT_ID
    return f"arn:aws:{service}:{lab_settings.REGION}:{account}:{rest}"


def _context(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    keys: dict[str, str | list[str]] = {"aws:TagKeys": list(tags)} if tags else {}
    return keys | {f"aws:RequestTag/{key}": value for key, value in tags.items()}


def _tags(arguments: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """Tags that stand under a prefix as ``1.Key`` and ``1.Value``."""
    return {
        str(value): str(arguments.get(f"{parameter.removesuffix('Key')}Value", ""))
        for parameter, value in arguments.items()
        if parameter.startswith(prefix) and parameter.endswith(".Key")
    }


def _specified(arguments: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Tag specifications: resource type to tags. Those inside a launch template are its content."""
    return {
        str(value): _tags(arguments, f"{parameter.removesuffix('ResourceType')}Tag.")
        for parameter, value in arguments.items()
        if parameter.startswith("TagSpecification.") and parameter.endswith(".ResourceType")
    }
