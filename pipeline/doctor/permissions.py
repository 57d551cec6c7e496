"""Whether the identity may make the calls of a policy in iam/: by dry runs of what is created, and by reads.

EC2's calls take the parameter ``DryRun``, and answer ``DryRunOperation`` for "would have succeeded" and
``UnauthorizedOperation`` for "not allowed" (EC2 API reference, "Common query parameters"). Calls that act on a machine
or an image that exists cannot be tried that way: the policies allow them by tags, and a refusal about a made-up id
proves nothing. SSM has no dry run; it checks the permission before it looks for the parameter. Auto Scaling has none,
either: of it only reads are tried.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore import exceptions as boto
from botocore import xform_name
from ruamel.yaml import YAML

from pipeline.aws.causes import DENIED
from pipeline.doctor import image
from pipeline.doctor.findings import Subject
from pipeline.errors import PipelineError
from pipeline.model import POINTER_ROOT, TAG_CHANNEL, TAG_MANAGED_BY, group_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Policy, Stack

FOLDER = Path(__file__).resolve().parents[2] / "iam"
NAME = "golden-image-doctor"
SHOWN = 8
_ALLOWED = ("DryRunOperation", "ParameterNotFound", "TargetGroupNotFound")
_NO_GROUP = "ValidationError"
"""What Auto Scaling answers to who may read of groups, and names one that is not there."""
_BY_TAG = ("DescribeInstanceAttribute",)
"""A read that the policies allow by the machine's tag."""
CLIENTS = {"elasticloadbalancing": "elbv2"}
"""Where boto3's name of a service is not the one that IAM knows."""
REFUSED_LAUNCH = (
    "Blocked", "Invalid", "OptInRequired", "PendingVerification", "Unsupported", "VcpuLimitExceeded",
)  # fmt: skip
"""How the codes begin by which EC2 refuses a launch to who may launch (EC2 API reference, error codes): an instance
type that a free plan, the zone or the image does not allow, a missing subscription, a new account, a quota."""

OF_GROUPS = "Group"
"""Beginning of the Sid of what a policy allows for stages with a group of machines, or a soak, alone."""


def needed_actions(policies: Sequence[Policy], *, group: bool) -> dict[str, str]:
    """IAM action to the reason why it is needed, by name.

    Args:
        policies: The policies of the work.
        group: Whether the work asks AWS of groups: if not, what only that needs is left out.

    Raises:
        OSError: A file of iam/ cannot be read.
        KeyError: An action has no reason.
    """
    statements = [
        statement
        for policy in policies
        for statement in json.loads((FOLDER / f"{policy}.json").read_text(encoding="utf-8"))["Statement"]
        if group or not statement["Sid"].startswith(OF_GROUPS)
    ]
    reasons: dict[str, str] = YAML(typ="safe").load(FOLDER / "actions.yaml")
    listed = [statement["Action"] for statement in statements]
    names = {name for value in listed for name in ([value] if isinstance(value, str) else value)}
    return {name: reasons[name] for name in sorted(names)}


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Every action that the work with a stack needs."""
    needed, given = needed_actions(stack.policies, group=stack.asks_of_groups), calls(stack)
    if stack.policy == "bake":
        # Without an image a launch cannot be tried; its own check reports that.
        with contextlib.suppress(PipelineError):
            given["ec2:RunInstances"] = launch(account, stack)
    codes = {action: code_of(account, action, given.get(action)) for action in needed}
    answers = {action: allowed(action, code) for action, (code, _) in codes.items()}
    yield judge(Subject("permissions", stack.about), needed, answers, stack.policies)
    code, text = codes.get("ec2:RunInstances", (None, ""))
    if code is not None and code.startswith(REFUSED_LAUNCH):
        yield Subject("launch", stack.about).fail(
            f"{code}: {text}",
            cause="EC2 would not launch the builder",
            cure="change what EC2 refuses (instance_type, subnet_id) in golden-image:bake.variables of "
            f"{stack.settings.stack_file}",
        )


def judge(
    subject: Subject,
    needed: Mapping[str, str],
    answers: Mapping[str, bool | None],
    policies: Sequence[Policy],
) -> Finding:
    """Sum the answers up.

    Args:
        subject: The check.
        needed: Action to why it is needed.
        answers: Action to whether it is allowed; None if that could not be verified.
        policies: The policies of iam/ that allow them.
    """
    files = " and ".join(f"iam/{policy}.json" for policy in policies)
    denied = [action for action in needed if answers[action] is False]
    unverified = [action for action in needed if answers[action] is None]
    if denied:
        lines = [f"{action}: {needed[action]}" for action in denied[:SHOWN]]
        more = [f"and {', '.join(denied[SHOWN:])}"] if denied[SHOWN:] else []
        return subject.fail(
            "\n".join([f"{len(denied)} of {len(needed)} actions are denied:", *lines, *more]),
            cause="the identity's policies, a permissions boundary or the organization do not allow them",
            cure=f"attach {files} to the identity that `credentials` shows; iam/README.md explains it",
        )
    if not unverified:
        return subject.ok(f"all {len(needed)} actions of {files} are allowed")
    return subject.ok(
        f"no action of {files} is denied; {len(unverified)} of {len(needed)} actions could not be verified "
        f"(they need a real call): {', '.join(unverified)}"
    )


def launch(account: Account, stack: Stack) -> dict[str, Any]:
    """The launch of a builder, as Packer makes it; in the default subnet if its own cannot be looked up.

    Raises:
        PipelineError: There is no source image, or AWS did not answer.
    """
    subnet = None
    with contextlib.suppress(PipelineError):
        # The check of the network reports it.
        subnet = account.machines.subnet(stack.variables.get("subnet_id"))
    return {
        "ImageId": image.find(account, stack).id,
        "InstanceType": str(stack.variables["instance_type"]),
        "MinCount": 1,
        "MaxCount": 1,
        "MetadataOptions": {"HttpTokens": "required"},
        **_tagged("instance", {TAG_MANAGED_BY: "packer"}),
        **({"SubnetId": subnet.id} if subnet else {}),
    }


def calls(stack: Stack) -> dict[str, dict[str, Any]]:
    """Action to arguments that change nothing, of those actions that need some."""
    packers = {TAG_MANAGED_BY: "packer"}
    # The name of a builder's key pair begins like that, and a policy may know it by that.
    key, pointer = f"packer_{NAME}", f"{POINTER_ROOT}/{NAME}/{stack.settings.channel}"
    return {
        **_of_groups(stack),
        "ec2:CreateKeyPair": {"KeyName": key, **_tagged("key-pair", packers)},
        "ec2:ImportKeyPair": {"KeyName": key, "PublicKeyMaterial": b"ssh-ed25519 AAAA"},
        "ec2:DeleteKeyPair": {"KeyName": key},
        "ec2:CreateSecurityGroup": {
            "GroupName": NAME,
            "Description": NAME,
            **_tagged("security-group", packers),
        },
        "ec2:CreateLaunchTemplate": {
            "LaunchTemplateName": NAME,
            "LaunchTemplateData": {"InstanceType": "t3.micro"},
            **_tagged("launch-template", {TAG_CHANNEL: stack.settings.channel}),
        },
        "ec2:DescribeLaunchTemplateVersions": {"Versions": ["$Default"]},
        "ssm:GetParameter": {"Name": pointer},
        "ssm:GetParametersByPath": {"Path": f"{POINTER_ROOT}/{NAME}"},
        "ssm:GetParameterHistory": {"Name": pointer},
        "ssm:LabelParameterVersion": {"Name": pointer, "Labels": [NAME]},
        "ssm:UnlabelParameterVersion": {"Name": pointer, "ParameterVersion": 1, "Labels": [NAME]},
        "ssm:ListTagsForResource": {"ResourceType": "Parameter", "ResourceId": pointer},
    }


def _of_groups(stack: Stack) -> dict[str, dict[str, Any]]:
    """The same of reads that ask for the name of a group, or of a target group; of one that may not be there yet."""
    group = {"AutoScalingGroupName": group_name(stack.settings.role, stack.settings.channel)}
    keys = stack.settings.fleet.group
    return {
        "autoscaling:DescribeInstanceRefreshes": group,
        "autoscaling:DescribeLoadBalancerTargetGroups": group,
        "elasticloadbalancing:DescribeTargetHealth": {
            "TargetGroupArn": next(iter(keys.target_group_arns if keys else ()), NAME)
        },
    }


def _tagged(kind: str, tags: Mapping[str, str]) -> dict[str, Any]:
    written = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": written}]}


def code_of(account: Account, action: str, given: Mapping[str, Any] | None) -> tuple[str | None, str]:
    """AWS's answer to a call that changes nothing: error code and text, or "" for a success.

    The code is None if the action cannot be tried without a change.

    Args:
        account: Where to ask.
        action: Such as ``ec2:CreateKeyPair``.
        given: Arguments of a call that changes nothing; None means that none are needed, or known.

    Raises:
        PipelineError: AWS did not answer.
    """
    service, _, operation = action.partition(":")
    if given is None and (not operation.startswith("Describe") or operation in _BY_TAG):
        return None, ""
    dry = {"DryRun": True} if service == "ec2" else {}
    with account.asking(f"try {action}"):
        try:
            client = account.client(CLIENTS.get(service, service))
            getattr(client, xform_name(operation))(**dry, **(given or {}))
        except boto.ClientError as error:
            found = error.response.get("Error", {})
            return str(found.get("Code", "")), str(found.get("Message", ""))
    return "", ""


def allowed(action: str, code: str | None) -> bool | None:
    """Whether that answer means that an action is allowed; None if it leaves that open."""
    if code in DENIED:
        return False
    known = code in ("", *_ALLOWED) or (action.startswith("autoscaling:") and code == _NO_GROUP)
    return True if known else None
