"""The gate: machines booted from exactly the new image, checked from outside, then stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from components import step, validation_machines
from pipeline import plans
from pipeline.model import TAG_VALIDATED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.validation_machines import ClonePlace, CloneShape


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
    """Path of the JSON report, below the project's folder; junit.xml is in the same folder."""

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
            soak_seconds: How long machines that passed have to stay well before a second look; 0: none.
            reboot: Whether they have to pass once more after a reboot.
            environment: How the steps reach AWS.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImageValidation", name, None, opts)
        machines = validation_machines.declare(
            self,
            name,
            image_id=image_id,
            suite=suite,
            role=role,
            ports=ports,
            shape=clones,
            place=place,
            environment=environment,
        )
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
            "image_id": image_id,
            # By id, not by address: addresses change whenever a machine is stopped, and a changed plan would run the
            # checks again.
            "instance_ids": machines.ids,
            "private_key": machines.private_key,
        }
        checks = step.declare(
            self,
            f"{name}-checks",
            plans.Validate,
            plan,
            environment=environment,
            triggers=[*machines.ids, suite],
            # A range that has just changed is open before the checks use it.
            after=machines.rules,
        )
        # The step's exit is the gate: on a failure there is no verdict. The plan carries the private key; the verdict
        # does not.
        verdict = pulumi.Output.unsecret(step.result(checks))
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


def evidence(verdict: Mapping[str, Any]) -> str:
    """The text of the ``Validated`` tag, such as ``2026-01-31T12:00:00Z suite 0a1b2c report 3d4e5f``.

    EC2 allows 256 characters.
    """
    return f"{verdict['validatedAt']} suite {verdict['suite'][:16]} report {verdict['digest'][:16]}"
