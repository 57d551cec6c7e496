"""The machines of a stage: an Auto Scaling group, and the roll-out of the promoted image to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from components import step
from pipeline import plans
from pipeline.model import TAG_CHANNEL, TAG_ROLE, group_name
from pipeline.settings.group import preferences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.settings.group import GroupKeys


class FleetGroup(pulumi.ComponentResource):
    """A group of machines that runs the promoted image.

    The group is created with a numbered version of the launch template. From then on the roll-out owns which version
    that is: a refresh that succeeds sets it (StartInstanceRefresh, DesiredConfiguration), and one that is rolled back
    leaves it; so it is not this resource's to change.
    The step `roll-out` waits until the machines have the version and are healthy. If they do not become healthy it
    returns machines, pointer, tags and the template's default version to the image before, and fails.
    """

    group: pulumi.Output[str]
    """Name of the Auto Scaling group."""

    deployed: pulumi.Output[str]
    """When the machines came to run the image, and the ID of the refresh, as the image's tag has it."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        channel: str,
        source: str | None,
        stack: str,
        keys: GroupKeys,
        image_id: pulumi.Input[str],
        label: pulumi.Input[str],
        when: pulumi.Input[str],
        launch_template_id: pulumi.Input[str],
        launch_template_version: pulumi.Input[int],
        rejected: str | None = None,
        region: str,
        environment: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the group and the roll-out.

        Args:
            name: The component's name.
            role: What the machines are for.
            channel: The channel whose image they run.
            source: Where the stack takes images from: a channel, ``bake``, or None for pins alone.
            stack: The stack's name.
            keys: Sizes and places, and how a roll-out replaces machines.
            image_id: The promoted image.
            label: The word of the label that its promotion has left on the pointer.
            when: When the pointer was written, ISO 8601.
            launch_template_id: The launch template.
            launch_template_version: Its version that has the image.
            rejected: The image that was asked for, where this update finishes the return from it.
            region: AWS region.
            environment: How the step reaches AWS.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:FleetGroup", name, None, opts)
        tags = {TAG_ROLE: role, TAG_CHANNEL: channel, "Name": group_name(role, channel)}
        group = aws.autoscaling.Group(
            f"{name}-group",
            name=group_name(role, channel),
            min_size=keys.min_size,
            max_size=keys.max_size,
            desired_capacity=keys.desired_capacity,
            vpc_zone_identifiers=list(keys.subnet_ids),
            target_group_arns=list(keys.target_group_arns) or None,
            health_check_type="ELB" if keys.target_group_arns else "EC2",
            health_check_grace_period=keys.health_check_grace_seconds,
            launch_template={
                "id": launch_template_id,
                "version": pulumi.Output.from_input(launch_template_version).apply(str),
            },
            # The step waits, and says what it waits for.
            wait_for_capacity_timeout="0",
            tags=[{"key": key, "value": value, "propagate_at_launch": False} for key, value in tags.items()],
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["launchTemplate"]),
        )
        roll_out = step.declare(
            self,
            f"{name}-roll-out",
            plans.RollOut,
            {
                "region": region,
                "role": role,
                "channel": channel,
                "source": source,
                "stack": stack,
                "image_id": image_id,
                "label": label,
                "when": when,
                "group": group.name,
                "template": launch_template_id,
                "version": launch_template_version,
                "preferences": preferences(keys.refresh),
                "timeout_minutes": keys.refresh.timeout_minutes,
                "rejected": rejected,
            },
            environment=environment,
            in_place=True,
            after=group,
        )
        self.group = group.name
        self.deployed = step.result(roll_out).apply(lambda found: str(found["deployed"]))
        self.register_outputs({"group": self.group, "deployed": self.deployed})
