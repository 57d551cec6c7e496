"""The gate: machines booted from exactly the new image, checked from outside, then stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from components import step
from pipeline import plans
from pipeline.model import TAG_PURPOSE, TAG_ROLE, TAG_VALIDATED, VALIDATION

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
class _Key:
    """A key pair made for one image."""

    private: pulumi.Output[str]
    name: pulumi.Output[str]


class ImageValidation(pulumi.ComponentResource):
    """An image that proved itself on machines of its own.

    The image id comes out only after the checks passed and the evidence is on the image; on a failure nothing
    flows, so nothing behind this changes. Machines are stopped once the checks passed, stop themselves when they did
    not, and are replaced with the next image (docs/architecture.md, rules 9 and 11).
    """

    image_id: pulumi.Output[str]
    """The validated image."""

    validated: pulumi.Output[str]
    """The evidence: when, which suite, digest of the report."""

    report: pulumi.Output[str]
    """Path of the JSON report, below the project's folder; junit.xml lies beside it."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        ports: Mapping[str, int],
        health_port: int | None,
        image_id: pulumi.Input[str],
        suite: str,
        clones: CloneShape,
        place: ClonePlace,
        region: str,
        timeout_seconds: int,
        smoke_test: str | None = None,
        allowed_skips: Mapping[str, str] | None = None,
        health_wait_seconds: int = 300,
        soak_seconds: int = 30,
        reboot: bool = True,
        environment: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the validation.

        Args:
            name: The component's name.
            role: What the image is made for; the checks know it.
            ports: Name to number of each port that the checks talk to.
            health_port: The one at which GET /health has to answer, or None.
            image_id: The image to validate.
            suite: Digest of the checks: changed checks boot new machines.
            clones: What the machines are.
            place: Where they are.
            region: AWS region.
            timeout_seconds: One deadline from the first look to the verdict.
            smoke_test: A command of the team's own that must succeed, or None.
            allowed_skips: Name of a check to the reason why it may skip.
            health_wait_seconds: How long after a boot an application may take until GET /health is well.
            soak_seconds: How long machines that passed have to stay well before a second look; 0: there is none.
            reboot: Whether they have to pass once more after a reboot.
            environment: How the steps reach AWS.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImageValidation", name, None, opts)
        self._name = name
        self._child = pulumi.ResourceOptions(parent=self)
        self._environment = dict(environment)
        key = self._key(image_id)
        group, rules = self._security_group(role, ports, place)
        machines = self._machines(image_id, suite, role, clones, place, key=key, group=group)
        plan = {
            "region": region,
            "role": role,
            "user": clones.user,
            "address": place.address,
            "suite": suite,
            "timeout_seconds": timeout_seconds,
            "smoke_test": smoke_test,
            "health_port": health_port,
            "health_wait_seconds": health_wait_seconds,
            "soak_seconds": soak_seconds,
            "reboot": reboot,
            "allowed_skips": dict(allowed_skips or {}),
        }
        verdict = self._verdict(image_id, machines, plan, key, rules)
        self.validated = verdict.apply(evidence)
        self.report = verdict.apply(lambda result: str(result["report"]))
        tag = aws.ec2.Tag(
            f"{name}-evidence",
            resource_id=verdict.apply(lambda result: str(result["imageId"])),
            key=TAG_VALIDATED,
            value=self.validated,
            # A displaced image is the next rollback's target: it keeps its evidence (docs/architecture.md, rule 6).
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        self.image_id = tag.resource_id
        self.register_outputs({"imageId": self.image_id, "validated": self.validated})

    def _key(self, image_id: pulumi.Input[str]) -> _Key:
        """A key made for this image, secret in the state and nowhere else."""
        made = step.declare(
            self,
            f"{self._name}-keygen",
            plans.Keygen,
            {"image_id": image_id},
            environment=self._environment,
            triggers=[image_id],
            secret=True,
        )
        pair = step.result(made)
        public = pulumi.Output.unsecret(pair.apply(lambda keys: str(keys["publicKey"])))
        registered = aws.ec2.KeyPair(f"{self._name}-key", public_key=public, opts=self._child)
        return _Key(private=pair.apply(lambda keys: str(keys["privateKey"])), name=registered.key_name)

    def _security_group(
        self, role: str, ports: Mapping[str, int], place: ClonePlace
    ) -> tuple[aws.ec2.SecurityGroup, list[aws.vpc.SecurityGroupIngressRule]]:
        """In: the checked ports, from one range. Out: everything, as the machines of the role have it."""
        # Another runner, another address: a preview shows no change for it. The update itself lets its own address in.
        keep = ["cidrIpv4"] if place.from_here and pulumi.runtime.is_dry_run() else None
        group = aws.ec2.SecurityGroup(
            f"{self._name}-clones",
            description=f"Validation machines of role {role}",
            vpc_id=place.vpc_id,
            # Without a tag, iam/bake.json could not tell it from other groups.
            tags={TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
            opts=self._child,
        )
        rules = [
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-{service}",
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4=place.allowed_cidr,
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=keep),
            )
            for service, port in ports.items()
        ]
        # EC2's own allow-all rule is revoked by the provider when it creates the group.
        aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-out",
            security_group_id=group.id,
            ip_protocol="-1",
            cidr_ipv4="0.0.0.0/0",
            opts=self._child,
        )
        return group, rules

    def _machines(
        self,
        image_id: pulumi.Input[str],
        suite: str,
        role: str,
        clones: CloneShape,
        place: ClonePlace,
        *,
        key: _Key,
        group: aws.ec2.SecurityGroup,
    ) -> list[aws.ec2.Instance]:
        """The clones: same image, same key, no other difference than their name."""
        return [
            aws.ec2.Instance(
                f"{self._name}-clone-{number}",
                ami=image_id,
                instance_type=clones.instance_type,
                subnet_id=place.subnet_id,
                vpc_security_group_ids=[group.id],
                key_name=key.name,
                # None: the subnet decides.
                associate_public_ip_address=place.public_ip,
                instance_initiated_shutdown_behavior="stop",
                # The provider sends the rest only if http_endpoint is given.
                metadata_options={"http_endpoint": "enabled", "http_tokens": "required"},
                root_block_device={"encrypted": True} if clones.encrypt_root else None,
                user_data=user_data(suite=suite, keep_minutes=clones.keep_minutes),
                user_data_replace_on_change=True,
                tags={"Name": f"{role}-validation-{number}", TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
                volume_tags={TAG_PURPOSE: VALIDATION, TAG_ROLE: role},
                opts=pulumi.ResourceOptions(
                    parent=self,
                    ignore_changes=[
                        # A stopped machine has no public address: a refresh would make the next update replace it.
                        "associatePublicIpAddress",
                        # Written at the launch alone: iam/bake.json lets nobody tag a volume that is there.
                        "volumeTags",
                    ],
                ),
            )
            for number in range(1, clones.count + 1)
        ]

    def _verdict(
        self,
        image_id: pulumi.Input[str],
        machines: list[aws.ec2.Instance],
        plan: Mapping[str, Any],
        key: _Key,
        rules: list[aws.vpc.SecurityGroupIngressRule],
    ) -> pulumi.Output[dict[str, Any]]:
        """Run the checks. The step's exit is the gate: on a failure there is no verdict.

        The plan names the machines by id, not by address: addresses change whenever a machine is stopped, and
        a changed plan would run the checks again.
        """
        ids = [machine.id for machine in machines]
        checks = step.declare(
            self,
            f"{self._name}-checks",
            plans.Validate,
            {**plan, "image_id": image_id, "instance_ids": ids, "private_key": key.private},
            environment=self._environment,
            triggers=[*ids, plan["suite"]],
            # A range that has just changed is open before the checks use it.
            after=rules,
        )
        # The plan carries the private key; the verdict does not.
        return pulumi.Output.unsecret(step.result(checks))


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


def evidence(verdict: Mapping[str, Any]) -> str:
    """The text of the ``Validated`` tag, such as ``2026-01-31T12:00:00Z suite 0a1b2c report 3d4e5f``.

    EC2 allows 256 characters.
    """
    return f"{verdict['validatedAt']} suite {verdict['suite'][:16]} report {verdict['digest'][:16]}"
