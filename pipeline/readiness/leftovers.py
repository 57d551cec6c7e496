"""What an interrupted bake of ours may have left: its builder, key pair and security group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model import TAG_BAKE_KEY, TAG_MANAGED_BY
from pipeline.readiness.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.readiness.account import Account
    from pipeline.readiness.findings import Finding

OURS = [
    {"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]},
    {"Name": "tag-key", "Values": [TAG_BAKE_KEY]},
]
"""The tags that packer/image.pkr.hcl puts on everything that a build makes."""

ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}


def check(account: Account) -> Iterator[Finding]:
    """Whether anything of a bake is there."""
    subject = Subject("leftovers of bakes", account.about)
    ec2 = account.client("ec2")
    builders = [
        instance
        for page in ec2.get_paginator("describe_instances").paginate(Filters=[*OURS, ALIVE])
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    keys = ec2.describe_key_pairs(Filters=OURS)["KeyPairs"]
    groups = ec2.describe_security_groups(Filters=OURS)["SecurityGroups"]
    if not (builders or keys or groups):
        yield subject.ok("none")
        return
    seen = [
        f"builder {one['InstanceId']} {one['State']['Name']} since {one['LaunchTime']:%Y-%m-%d %H:%M} UTC"
        for one in builders
    ]
    seen += [f"key pair {one['KeyName']}" for one in keys]
    seen += [f"security group {one['GroupId']} {one['GroupName']}" for one in groups]
    cure = []
    if builders:
        cure.append(
            f"aws ec2 terminate-instances --instance-ids {' '.join(b['InstanceId'] for b in builders)}"
        )
    cure += [f"aws ec2 delete-key-pair --key-name {one['KeyName']}" for one in keys]
    cure += [f"aws ec2 delete-security-group --group-id {one['GroupId']}" for one in groups]
    yield subject.warn(
        "\n".join(seen),
        cause="a bake runs now, or one was interrupted and could not clean up; a running builder costs money",
        cure="if no bake runs:\n" + "\n".join(cure),
    )
