"""Machines, what uses images, and where machines can be. Decides nothing."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import Service
from pipeline.aws.images import tags_of
from pipeline.aws.templates import versions
from pipeline.model import TAG_BAKE_RUN, TAG_MANAGED_BY, Builder, Subnet

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Machines(Service):
    """The machines of one account and region."""

    def architectures(self, instance_types: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Instance type to the architectures that it runs, such as ``("x86_64",)``. All of them must exist."""
        with self._session.asking(f"look up the instance types {', '.join(instance_types)}"):
            answer = self._session.client("ec2").describe_instance_types(InstanceTypes=list(instance_types))
        return {
            found["InstanceType"]: tuple(found["ProcessorInfo"]["SupportedArchitectures"])
            for found in answer["InstanceTypes"]
        }

    def builders(self) -> list[Builder]:
        """The builders of all bakes that have not ended."""
        filters = [
            {"Name": f"tag:{TAG_MANAGED_BY}", "Values": ["packer"]},
            {"Name": "tag-key", "Values": [TAG_BAKE_RUN]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        with self._session.asking("look for builders"):
            found = self._session.pages("ec2", "describe_instances", "Reservations", Filters=filters)
        return [
            Builder(
                id=machine["InstanceId"],
                state=machine["State"]["Name"],
                since=machine["LaunchTime"],
                bake_key=tags_of(machine.get("Tags")).get(TAG_BAKE_RUN, ""),
            )
            for reservation in found
            for machine in reservation["Instances"]
        ]

    def used_images(self) -> dict[str, str]:
        """Image id to one thing that uses it: a machine, or a launch template version that can still be launched.

        Those are a template's default and latest version, and the versions that Auto Scaling groups name.
        """
        used: dict[str, str] = {}
        with self._session.asking("list what images are used by"):
            for wanted in self._launchable():
                for found in versions(self._session.client("ec2"), **wanted):
                    image = found["LaunchTemplateData"].get("ImageId")
                    if image:
                        used[image] = f"version {found['VersionNumber']} of {found['LaunchTemplateId']}"
            for reservation in self._session.pages("ec2", "describe_instances", "Reservations"):
                for machine in reservation["Instances"]:
                    if machine["State"]["Name"] != "terminated":
                        used[machine["ImageId"]] = machine["InstanceId"]
        return used

    def described(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]] | None:
        """Instance id to what EC2 says of the machine, or None where it does not find all of them."""
        from botocore.exceptions import ClientError

        with self._session.asking(f"look up the machines {', '.join(ids)}"):
            try:
                answer = self._session.client("ec2").describe_instances(InstanceIds=list(ids))
            except ClientError as error:
                if not error.response["Error"]["Code"].startswith("InvalidInstanceID"):
                    raise
                return None
        return {
            machine["InstanceId"]: machine
            for reservation in answer["Reservations"]
            for machine in reservation["Instances"]
        }

    def start(self, ids: Sequence[str]) -> None:
        """Start machines that have stopped."""
        with self._session.asking(f"start {', '.join(ids)}"):
            self._session.client("ec2").start_instances(InstanceIds=list(ids))

    def stop(self, ids: Sequence[str]) -> None:
        """Ask machines to stop."""
        with self._session.asking(f"stop {', '.join(ids)}"):
            self._session.client("ec2").stop_instances(InstanceIds=list(ids))

    def wait(self, state: str, ids: Sequence[str], *, seconds: float, every: int) -> str | None:
        """Wait until machines are in a state, such as ``instance_running``.

        Args:
            state: A waiter of botocore's.
            ids: The machines.
            seconds: How long to wait.
            every: Seconds between two reads.

        Returns:
            Why they are not, or None.
        """
        from botocore.exceptions import WaiterError

        pace = {"Delay": every, "MaxAttempts": max(1, int(seconds / every))}
        with self._session.asking(f"wait for {', '.join(ids)}"):
            try:
                self._session.client("ec2").get_waiter(state).wait(InstanceIds=list(ids), WaiterConfig=pace)
            except WaiterError as error:
                return str(error)
        return None

    def console(self, instance_id: str) -> str:
        """What a machine has printed, as botocore hands it on; EC2 may be minutes behind."""
        from botocore.exceptions import ClientError

        with self._session.asking(f"read the console of {instance_id}"):
            ec2 = self._session.client("ec2")
            try:
                # Without Latest it is what was there shortly after the last start or stop: another boot's, perhaps.
                answer = ec2.get_console_output(InstanceId=instance_id, Latest=True)
            except ClientError as error:
                if error.response["Error"]["Code"] != "UnsupportedOperation":  # types before Nitro
                    raise
                answer = ec2.get_console_output(InstanceId=instance_id)
        return str(answer.get("Output", ""))

    def ranges(self, subnet_ids: Iterable[str]) -> dict[str, ipaddress.IPv4Network]:
        """Subnet id to its IPv4 range."""
        with self._session.asking("look subnets up"):
            answer = self._session.client("ec2").describe_subnets(SubnetIds=sorted(subnet_ids))
        return {found["SubnetId"]: ipaddress.IPv4Network(found["CidrBlock"]) for found in answer["Subnets"]}

    def missing_subnets(self, subnet_ids: Sequence[str]) -> list[str]:
        """Those of some subnets that do not exist."""
        with self._session.asking("look subnets up"):
            answer = self._session.client("ec2").describe_subnets(
                Filters=[{"Name": "subnet-id", "Values": list(subnet_ids)}]
            )
        found = {subnet["SubnetId"] for subnet in answer["Subnets"]}
        return [one for one in subnet_ids if one not in found]

    def subnet(self, subnet_id: str | None) -> Subnet | None:
        """The subnet of that id; without an id the first default subnet by zone; or None."""
        with self._session.asking("look subnets up"):
            found = launch_subnet(self._session.client("ec2"), subnet_id)
        if found is None:
            return None
        return Subnet(
            id=found["SubnetId"],
            vpc_id=found["VpcId"],
            cidr=found["CidrBlock"],
            public_by_default=found.get("MapPublicIpOnLaunch", False),
        )

    def _launchable(self) -> list[dict[str, Any]]:
        """The launch template versions that can still be launched, as calls that describe them."""
        templates = self._session.pages("ec2", "describe_launch_templates", "LaunchTemplates")
        groups = self._session.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups")
        return [
            *(
                {"LaunchTemplateId": one["LaunchTemplateId"], "Versions": ["$Default", "$Latest"]}
                for one in templates
            ),
            *(
                {"LaunchTemplateId": one["LaunchTemplateId"], "Versions": [one.get("Version", "$Default")]}
                for group in groups
                for one in _templates(group)
            ),
        ]


def launch_subnet(ec2: Any, subnet_id: str | None) -> Any:
    """The subnet of that id as EC2 describes it; without an id the first default subnet by zone; or None."""
    wanted = ("subnet-id", subnet_id) if subnet_id else ("default-for-az", "true")
    answer = ec2.describe_subnets(Filters=[{"Name": wanted[0], "Values": [wanted[1]]}])
    return min(answer["Subnets"], key=lambda subnet: subnet["AvailabilityZone"], default=None)


def _templates(group: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The launch templates that an Auto Scaling group names."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    specified = [mixed.get("LaunchTemplateSpecification")]
    specified += [one.get("LaunchTemplateSpecification") for one in mixed.get("Overrides", ())]
    return [one for one in (group.get("LaunchTemplate"), *specified) if one]
