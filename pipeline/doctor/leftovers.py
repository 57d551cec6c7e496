"""What interrupted bakes may have left: builders, key pairs, security groups, and unfinished images."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.aws.images import tags_of
from pipeline.doctor.findings import Subject
from pipeline.model import TAG_BAKE_KEY, TAG_BAKE_RUN, TAG_MANAGED_BY
from pipeline.promote.preview_lines import age

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding

OURS = [{"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]}]
"""The tag that packer/image.pkr.hcl puts on everything that a build makes, among others."""

ALIVE = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
_UNFINISHED = frozenset({"pending", "failed", "invalid", "error", "transient"})
_WITH_SNAPSHOTS = (
    "or, once it is a day old, python -m pipeline retire --yes, which removes its snapshots, too"
)

Leftover = tuple[str, str]
"""What it is, and since when; the command that removes it."""


def check(account: Account) -> Iterator[Finding]:
    """Whether anything of a bake exists that a finished one does not leave."""
    subject, now = Subject("leftovers of bakes", account.about), datetime.now(UTC)
    ec2 = account.client("ec2")
    with account.asking("look for leftovers of bakes"):
        found = [*_builders(ec2, now), *_keys(ec2, now), *_groups(ec2), *_images(ec2, now)]
    if not found:
        yield subject.ok("none")
        return
    yield subject.warn(
        "\n".join(seen for seen, _ in found),
        cause="a bake is running, or one was interrupted and could not clean up; a running builder costs money, and so "
        "do the snapshots of an image",
        cure="if no bake is running:\n" + "\n".join(command for _, command in found),
    )


def _builders(ec2: Any, now: datetime) -> Iterator[Leftover]:
    for page in ec2.get_paginator("describe_instances").paginate(Filters=[*OURS, ALIVE]):
        for one in filter(_ours, (one for found in page["Reservations"] for one in found["Instances"])):
            seen = (
                f"builder {one['InstanceId']} {one['State']['Name']}, launched {_ago(one['LaunchTime'], now)}"
            )
            yield seen + _of(one), f"aws ec2 terminate-instances --instance-ids {one['InstanceId']}"


def _keys(ec2: Any, now: datetime) -> Iterator[Leftover]:
    for one in filter(_ours, ec2.describe_key_pairs(Filters=OURS)["KeyPairs"]):
        created = f", created {_ago(one['CreateTime'], now)}" if "CreateTime" in one else ""
        seen = f"key pair {one['KeyName']}{created}"
        yield seen + _of(one), f"aws ec2 delete-key-pair --key-name {one['KeyName']}"


def _groups(ec2: Any) -> Iterator[Leftover]:
    # EC2 does not show when a group was created.
    for one in filter(_ours, ec2.describe_security_groups(Filters=OURS)["SecurityGroups"]):
        seen = f"security group {one['GroupId']} {one['GroupName']}"
        yield seen + _of(one), f"aws ec2 delete-security-group --group-id {one['GroupId']}"


def _images(ec2: Any, now: datetime) -> Iterator[Leftover]:
    """Images that no bake has finished; their snapshots go with them."""
    for page in ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=OURS):
        for one in page["Images"]:
            state = one.get("State", "")
            if unfinished(tags_of(one.get("Tags")), state):
                seen = f"image {one['ImageId']} {one.get('Name', '')}, {state} and not finished, created "
                yield (
                    seen + age(one["CreationDate"], now) + " ago" + _of(one),
                    f"aws ec2 deregister-image --image-id {one['ImageId']}; {_WITH_SNAPSHOTS}",
                )


def unfinished(tags: Mapping[str, str], state: str) -> bool:
    """Whether a bake has not finished an image.

    BakeKey is the last tag that a bake writes. Earlier versions wrote it first; the state of theirs decides.
    """
    if TAG_BAKE_RUN in tags and TAG_BAKE_KEY not in tags:
        return True
    return TAG_BAKE_KEY in tags and state in _UNFINISHED


def _ours(one: Mapping[str, Any]) -> bool:
    return not {TAG_BAKE_KEY, TAG_BAKE_RUN}.isdisjoint(tags_of(one.get("Tags")))


def _of(one: Mapping[str, Any]) -> str:
    tags = tags_of(one.get("Tags"))
    return f", of bake {tags.get(TAG_BAKE_RUN) or tags[TAG_BAKE_KEY]}"


def _ago(when: datetime, now: datetime) -> str:
    return f"{age(when.isoformat(), now)} ago ({when.astimezone(UTC):%Y-%m-%d %H:%M} UTC)"
