"""The consumer: a launch template that names the promoted image literally."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from pipeline.model import TAG_CHANNEL, TAG_ROLE

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fleet(pulumi.ComponentResource):
    """A launch template for machines of one role.

    It holds a literal image id: a machine never starts from "whatever is newest". Every change makes a new version,
    which becomes the default; consumers use `latest_version`, a number (docs/architecture.md, rule 8).
    """

    launch_template_id: pulumi.Output[str]
    """Such as ``lt-0123456789abcdef0``."""

    latest_version: pulumi.Output[int]
    """The version that holds the promoted image, from 1."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        channel: str,
        image_id: pulumi.Input[str],
        instance_type: str,
        security_group_ids: Sequence[str] = (),
        instance_profile: str | None = None,
        user_data: str | None = None,
        after: pulumi.Resource | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the launch template.

        Args:
            name: The component's name.
            role: Name prefix of the template, and the ``Role`` tag of what it launches.
            channel: The channel that the image is in; iam/*.json separates the templates of stages by it.
            image_id: The promoted image.
            instance_type: Size of the machines.
            security_group_ids: Their security groups; none means the VPC's default one.
            instance_profile: Name of their instance profile.
            user_data: What each machine runs at its first boot.
            after: What must be done before the template changes.
            opts: Options of the component.
        """
        # Its type before roles were folders: a stack that has it keeps its template.
        former = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_="golden-image:index:WebFleet")])
        options = pulumi.ResourceOptions.merge(former, opts)
        super().__init__("golden-image:index:Fleet", name, None, options)
        tags = {TAG_ROLE: role, "Name": role}
        template = aws.ec2.LaunchTemplate(
            f"{name}-template",
            name_prefix=f"{role}-",
            image_id=image_id,
            instance_type=instance_type,
            update_default_version=True,
            vpc_security_group_ids=list(security_group_ids) or None,
            iam_instance_profile={"name": instance_profile} if instance_profile else None,
            user_data=base64.b64encode(user_data.encode()).decode() if user_data else None,
            metadata_options={"http_endpoint": "enabled", "http_tokens": "required"},
            tags={TAG_ROLE: role, TAG_CHANNEL: channel},
            tag_specifications=[{"resource_type": kind, "tags": tags} for kind in ("instance", "volume")],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after] if after else None),
        )
        self.launch_template_id = template.id
        self.latest_version = template.latest_version
        self.register_outputs(
            {"launchTemplateId": self.launch_template_id, "latestVersion": self.latest_version}
        )
