"""The machines of a validation: booted from exactly one image, with a key and a security group of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components import step
from pipeline import plans
from pipeline.model import TAG_PURPOSE, TAG_ROLE, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class ClonePlace:
    """Where validation machines boot and from where they can be reached.

    Attributes:
        subnet_id: Their subnet.
        vpc_id: Its VPC.
        allowed_cidr: From where SSH and the checked ports are open.
        address: ``public`` or ``private``: the address that they are checked at.
        from_here: Whether the range is only where this program runs now, and not the stack's.
        public_ip: Whether they ask for a public address; None leaves it to the subnet.
    """

    subnet_id: str
    vpc_id: str
    allowed_cidr: str
    address: str
    from_here: bool = False
    public_ip: bool | None = None


@dataclass(frozen=True, kw_only=True)
class CloneShape:
    """What a validation machine is.

    Attributes:
        count: How many boot from the image.
        instance_type: Their size.
        user: The user that the image gives the key to.
        encrypt_root: Whether their root volume is encrypted with the account's default key.
        keep_minutes: After that long a machine stops itself, at each boot.
    """

    count: int
    instance_type: str
    user: str
    encrypt_root: bool
    keep_minutes: int


@dataclass(frozen=True)
class Machines:
    """What the checks need of them.

    Attributes:
        ids: Their instance ids.
        private_key: What logs in to them.
        rules: What lets the checks in.
    """

    ids: list[pulumi.Output[str]]
    private_key: pulumi.Output[str]
    rules: list[aws.vpc.SecurityGroupIngressRule]


def declare(
    parent: pulumi.Resource,
    name: str,
    *,
    image_id: pulumi.Input[str],
    suite: str,
    role: str,
    ports: Mapping[str, int],
    shape: CloneShape,
    place: ClonePlace,
    environment: Mapping[str, str],
) -> Machines:
    """Declare the machines, with their key and their security group.

    Args:
        parent: The component.
        name: What their names begin with.
        image_id: The image that they boot from.
        suite: Digest of the checks: changed checks boot new machines.
        role: What the image is made for.
        ports: Name to number of each port that the checks talk to.
        shape: What they are.
        place: Where they are.
        environment: How the step that makes the key reaches AWS.
    """
    child = pulumi.ResourceOptions(parent=parent)
    private_key, key_name = _key(parent, name, image_id, environment)
    group, rules = _security_group(name, role, ports, place, child)
    ids = [
        aws.ec2.Instance(
            f"{name}-clone-{number}",
            ami=image_id,
            instance_type=shape.instance_type,
            subnet_id=place.subnet_id,
            vpc_security_group_ids=[group.id],
            key_name=key_name,
            # None: the subnet decides.
            associate_public_ip_address=place.public_ip,
            instance_initiated_shutdown_behavior="stop",
            # The provider sends the rest only if http_endpoint is given.
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required"},
            root_block_device={"encrypted": True} if shape.encrypt_root else None,
            user_data=user_data(suite=suite, keep_minutes=shape.keep_minutes),
            user_data_replace_on_change=True,
            tags={"Name": f"{role}-validation-{number}", TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
            volume_tags={TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
            opts=pulumi.ResourceOptions(
                parent=parent,
                ignore_changes=[
                    # A stopped machine has no public address: a refresh would make the next update replace it.
                    "associatePublicIpAddress",
                    # Written at the launch alone: iam/bake.json lets nobody tag a volume that is there.
                    "volumeTags",
                ],
            ),
        ).id
        for number in range(1, shape.count + 1)
    ]
    return Machines(ids=ids, private_key=private_key, rules=rules)


def _key(
    parent: pulumi.Resource, name: str, image_id: pulumi.Input[str], environment: Mapping[str, str]
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """A key made for this image, secret in the state and nowhere else; and its name in EC2."""
    made = step.declare(
        parent,
        f"{name}-keygen",
        plans.Keygen,
        {"image_id": image_id},
        environment=environment,
        triggers=[image_id],
        secret=True,
    )
    pair = step.result(made)
    public = pulumi.Output.unsecret(pair.apply(lambda keys: str(keys["publicKey"])))
    registered = aws.ec2.KeyPair(f"{name}-key", public_key=public, opts=pulumi.ResourceOptions(parent=parent))
    return pair.apply(lambda keys: str(keys["privateKey"])), registered.key_name


def _security_group(
    name: str, role: str, ports: Mapping[str, int], place: ClonePlace, child: pulumi.ResourceOptions
) -> tuple[aws.ec2.SecurityGroup, list[aws.vpc.SecurityGroupIngressRule]]:
    """In: the checked ports, from one range. Out: everything, as the machines of the role have it."""
    # Another runner, another address: a preview shows no change for it. The update itself lets its own address in.
    keep = ["cidrIpv4"] if place.from_here and pulumi.runtime.is_dry_run() else None
    group = aws.ec2.SecurityGroup(
        f"{name}-clones",
        description=f"Validation machines of role {role}",
        vpc_id=place.vpc_id,
        # Without a tag, iam/bake.json could not tell it from other groups.
        tags={TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
        opts=child,
    )
    rules = [
        aws.vpc.SecurityGroupIngressRule(
            f"{name}-{service}",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=place.allowed_cidr,
            opts=pulumi.ResourceOptions(parent=child.parent, ignore_changes=keep),
        )
        for service, port in ports.items()
    ]
    # EC2's own allow-all rule is revoked by the provider when it creates the group.
    aws.vpc.SecurityGroupEgressRule(
        f"{name}-out",
        security_group_id=group.id,
        ip_protocol="-1",
        cidr_ipv4="0.0.0.0/0",
        opts=child,
    )
    return group, rules


def user_data(*, suite: str, keep_minutes: int) -> str:
    """Cloud-config that makes a machine stop itself, at every boot anew.

    Args:
        suite: Digest of the checks. It changes nothing on the machine; a changed text replaces it.
        keep_minutes: How long it runs.
    """
    # A timer and not `shutdown +60`: bootcmd runs at every boot, but before logind is there. Nor may the timer
    # wait for sysinit.target, as timers do: that waits for cloud-init, which waits for this command.
    command = ["systemd-run", "--unit=stop-validation-machine", f"--on-active={keep_minutes}min"]
    # Without an accuracy of its own it would elapse up to a minute late (systemd.timer, AccuracySec=).
    command += ["--timer-property=AccuracySec=1s"]
    command += ["--timer-property=DefaultDependencies=no", "systemctl", "poweroff"]
    return f"#cloud-config\n# checks: {suite}\nbootcmd:\n  - {json.dumps(command)}\n"
