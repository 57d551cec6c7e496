"""A stack with a group of machines, and what is so in the account and on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import yaml

from lab.settings import SUBNET_ID
from pipeline.model import TAG_REJECTED, deployed_tag, group_name
from tests.e2e.fleet_images import FLEET
from tests.e2e.mover import CHANNEL, Mover

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.workbench import Workbench

WITHIN_SECONDS = 60
"""How long the lab may take to do what a test waits for."""

REFRESH = {"minHealthyPercent": 100, "maxHealthyPercent": 200, "warmupSeconds": 1}


class Rolling(Mover):
    """A stack with a group.

    Args:
        bench: The working copy.
        role: The role.
        images: Version to image.
        target_group: ARN of the group's target group.
        size: How many machines it has.
        refresh: How a roll-out replaces them, beside `REFRESH`.
    """

    def __init__(
        self,
        bench: Workbench,
        role: str,
        images: Mapping[str, str],
        target_group: str,
        *,
        size: int,
        refresh: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(bench, role, "fleet", f"{role}-fleet")
        self.images = images
        self.target_group = target_group
        self.group = group_name(role, CHANNEL)
        self.size = size
        self.grace = 1800
        self.refresh = {**REFRESH, **(refresh or {})}
        self.source: str | None = None
        self.soak: str | None = None
        self._ec2, self._groups, self._targets = (
            bench.client(one) for one in ("ec2", "autoscaling", "elbv2")
        )

    def ask_for(self, image: str | None) -> None:
        """Pin an image in the stack's file; None: take what its source has."""
        group = {
            "minSize": 1,
            "maxSize": 2 * self.size,
            "desiredCapacity": self.size,
            "subnetIds": [SUBNET_ID],
            "targetGroupArns": [self.target_group],
            "healthCheckGraceSeconds": self.grace,
            "refresh": self.refresh,
        }
        values = {
            "role": self.role,
            "channel": CHANNEL,
            "from": self.source,
            "soak": self.soak,
            "image": image,
            "fleet": {"instanceType": "t3.micro", "userData": FLEET, "group": group},
        }
        given = {f"golden-image:{key}": value for key, value in values.items() if value is not None}
        config = {"aws:region": "eu-west-1", **given}
        self.bench.stack_file(self.stack).write_text(yaml.safe_dump({"config": config}))

    def found(self) -> dict[str, Any]:
        """The group as AWS describes it."""
        found: dict[str, Any] = self._groups.describe_auto_scaling_groups(AutoScalingGroupNames=[self.group])[
            "AutoScalingGroups"
        ][0]
        return found

    def refreshes(self) -> list[dict[str, Any]]:
        """Its refreshes, the newest first."""
        found: list[dict[str, Any]] = self._groups.describe_instance_refreshes(
            AutoScalingGroupName=self.group
        )["InstanceRefreshes"]
        return found

    def refresh_by_hand(self) -> str:
        """Start a refresh as somebody else, which takes hours; returns its ID."""
        preferences = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110, "InstanceWarmup": 10_000}
        found: str = self._groups.start_instance_refresh(
            AutoScalingGroupName=self.group, Preferences=preferences
        )["InstanceRefreshId"]
        until(lambda: self.refreshes()[0]["Status"] == "InProgress", self.refreshes)
        return found

    def cancel_refresh(self) -> None:
        """End it, and wait until the group is as before."""
        self._groups.cancel_instance_refresh(AutoScalingGroupName=self.group)
        until(lambda: self.refreshes()[0]["Status"] == "Cancelled", self.refreshes)

    def launch_from(self, number: str) -> None:
        """Let the group launch from a version of its template, as a person does in the console."""
        template = {
            "LaunchTemplateId": self.found()["LaunchTemplate"]["LaunchTemplateId"],
            "Version": number,
        }
        self._groups.update_auto_scaling_group(AutoScalingGroupName=self.group, LaunchTemplate=template)

    def scale(self, size: int) -> None:
        """Have another number of machines."""
        self._groups.set_desired_capacity(AutoScalingGroupName=self.group, DesiredCapacity=size)
        self.size = size

    def lose_a_machine(self) -> None:
        """Terminate one by hand."""
        self._ec2.terminate_instances(InstanceIds=[self.found()["Instances"][0]["InstanceId"]])

    def addresses(self) -> dict[str, str]:
        """Machine to address, of those that run for the group."""
        found = self._ec2.describe_instances(
            Filters=[
                {"Name": "tag:aws:autoscaling:groupName", "Values": [self.group]},
                {"Name": "instance-state-name", "Values": ["running"]},
            ]
        )["Reservations"]
        return {one["InstanceId"]: one["PrivateIpAddress"] for each in found for one in each["Instances"]}

    def targets(self) -> dict[str, str]:
        """Machine to what the target group says of it."""
        found = self._targets.describe_target_health(TargetGroupArn=self.target_group)
        return {
            one["Target"]["Id"]: one["TargetHealth"]["State"] for one in found["TargetHealthDescriptions"]
        }

    def serves(self) -> list[str]:
        """What the machines of the group answer, each for itself."""
        addresses = self.addresses()
        members = [one["InstanceId"] for one in self.found()["Instances"]]
        return sorted(httpx.get(f"http://{addresses[one]}/health", timeout=5).text for one in members)

    def tags(self, image: str) -> dict[str, str]:
        """Tags of an image."""
        found = self._ec2.describe_images(ImageIds=[image])["Images"][0]
        return {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}

    def rejected(self, image: str) -> str | None:
        """Why an image is rejected, or None."""
        return self.tags(image).get(TAG_REJECTED)

    def deployed(self, image: str) -> str | None:
        """When the group came to run an image, or None."""
        return self.tags(image).get(deployed_tag(CHANNEL))

    def wrong(self, image: str) -> list[str]:
        """Where anything else than that image is, in the account and on the machines."""
        version = self.version(image)
        seen = super().wrong(image)
        if (serves := self.serves()) != [version] * self.size:
            seen.append(f"machines: {serves}, not {version}")
        if (launches := self.launches()) != image:
            seen.append(f"group: launches {launches}, not {image}")
        return seen

    def version(self, image: str) -> str:
        """What the machines of an image answer."""
        return next(version for version, one in self.images.items() if one == image)

    def another(self) -> str:
        """A good image that the group does not have."""
        return next(
            image for image in self.images.values() if image != self.launches() and not self.rejected(image)
        )

    def launches(self) -> str:
        """The image that the group itself would launch."""
        named = self.found()["LaunchTemplate"]
        found = self._ec2.describe_launch_template_versions(
            LaunchTemplateId=named["LaunchTemplateId"], Versions=[named["Version"]]
        )["LaunchTemplateVersions"][0]
        image: str = found["LaunchTemplateData"]["ImageId"]
        return image


def until(condition: Callable[[], object], seen: Callable[[], object] = str) -> None:
    """Wait for something in the lab."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, seen()
        time.sleep(0.1)
