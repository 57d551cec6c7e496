"""aws:autoscaling/group:Group."""

from __future__ import annotations

import re
import secrets as random
from typing import Any, ClassVar

from lab.plugins.aws import capacity, refresh
from lab.plugins.aws.base import AwsResource, client, code_of, region, wait_until
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Block, Failures, Field, ListOf
from lab.plugins.resource import Call, InitError, Values, merged
from lab.plugins.server import PluginError

DELETE_SECONDS = 600.0

TEMPLATE = Block({"id": Field(STRING), "name": Field(STRING), "version": Field(STRING)})
TAG = Block(
    {
        "key": Field(STRING, required=True),
        "value": Field(STRING, required=True),
        "propagateAtLaunch": Field(BOOLEAN, required=True),
    }
)
POLICY = Block(
    {
        "minHealthyPercentage": Field(INTEGER, required=True),
        "maxHealthyPercentage": Field(INTEGER, required=True),
    }
)
PLAIN = {
    "minSize": "MinSize",
    "maxSize": "MaxSize",
    "desiredCapacity": "DesiredCapacity",
    "healthCheckType": "HealthCheckType",
    "healthCheckGracePeriod": "HealthCheckGracePeriod",
    "defaultInstanceWarmup": "DefaultInstanceWarmup",
    "protectFromScaleIn": "NewInstancesProtectedFromScaleIn",
}
"""Settings that go to AWS as they are, and their names there."""


def describe(api: Any, name: str) -> dict[str, Any] | None:
    """One group, or None."""
    found = api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return dict(found[0]) if found else None


class Group(AwsResource):
    """A group of machines from one launch template."""

    token: ClassVar[str] = "aws:autoscaling/group:Group"
    name_field: ClassVar[str | None] = "name"
    prefix_field: ClassVar[str | None] = "namePrefix"
    fields: ClassVar[dict[str, Field]] = {
        "name": Field(STRING, replace=True),
        "namePrefix": Field(STRING, replace=True),
        "minSize": Field(INTEGER, required=True),
        "maxSize": Field(INTEGER, required=True),
        "desiredCapacity": Field(INTEGER),
        "launchTemplate": Field(TEMPLATE, required=True),
        "vpcZoneIdentifiers": Field(ListOf(STRING)),
        "healthCheckType": Field(STRING),
        "healthCheckGracePeriod": Field(INTEGER, default=300),
        "defaultInstanceWarmup": Field(INTEGER),
        "protectFromScaleIn": Field(BOOLEAN),
        "instanceMaintenancePolicy": Field(POLICY),
        "targetGroupArns": Field(ListOf(STRING)),
        "tags": Field(ListOf(TAG)),
        "instanceRefresh": Field(refresh.BLOCK),
        "forceDelete": Field(BOOLEAN, default=False),
        "ignoreFailedScalingActivities": Field(BOOLEAN, default=False),
        "minElbCapacity": Field(INTEGER),
        "waitForElbCapacity": Field(INTEGER),
        "waitForCapacityTimeout": Field(STRING, default="10m"),
    }

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """What excludes each other, and the form of a duration."""
        if "name" in inputs and "namePrefix" in inputs:
            failures.add("name", "'name' conflicts with 'namePrefix'")
        template = inputs.get("launchTemplate")
        if isinstance(template, dict) and ("id" in template) == ("name" in template):
            failures.add("launchTemplate", "exactly one of 'id' and 'name' must be given")
        limit = inputs.get("waitForCapacityTimeout")
        if isinstance(limit, str) and capacity.seconds(limit) is None:
            failures.add("waitForCapacityTimeout", f"must be a duration such as 10m or 0, got {limit!r}")

    @staticmethod
    def api(values: Values) -> Any:
        """Auto Scaling in the group's region."""
        return client("autoscaling", values.get("region") or region())

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """CreateAutoScalingGroup, then wait for its capacity.

        Raises:
            InitError: The capacity did not come; the group is kept in the state all the same.
        """
        del call
        api = self.api(inputs)
        name = inputs.get("name") or inputs["namePrefix"] + random.token_hex(13)
        api.create_auto_scaling_group(
            AutoScalingGroupName=name,
            Tags=_tags(name, inputs),
            TargetGroupARNs=inputs.get("targetGroupArns") or [],
            **_settings(inputs),
        )
        outputs = self.read(name, merged(inputs, name=name)) or merged(inputs, name=name)
        try:
            capacity.wait(api, name, inputs)
        except PluginError as error:
            raise InitError(name, outputs, str(error)) from error
        return name, self.read(name, outputs) or outputs

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeAutoScalingGroups."""
        found = describe(self.api(state), resource_id)
        if found is None:
            return None
        template = found.get("LaunchTemplate", {})
        seen = {
            "id": template.get("LaunchTemplateId"),
            "name": template.get("LaunchTemplateName"),
            "version": template.get("Version"),
        }
        said = state.get("launchTemplate") or seen
        outputs = {
            **state,
            "name": resource_id,
            "arn": found["AutoScalingGroupARN"],
            "minSize": found["MinSize"],
            "maxSize": found["MaxSize"],
            "desiredCapacity": found["DesiredCapacity"],
            "healthCheckType": found["HealthCheckType"],
            "healthCheckGracePeriod": found["HealthCheckGracePeriod"],
            "launchTemplate": {key: seen[key] for key in said},
            "availabilityZones": found["AvailabilityZones"],
        }
        if state.get("vpcZoneIdentifiers"):
            outputs["vpcZoneIdentifiers"] = found["VPCZoneIdentifier"].split(",")
        return outputs

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """UpdateAutoScalingGroup with what changed, tags, target groups; then a refresh if asked for, and the capacity.

        So a setting that somebody else has changed meanwhile stays as it is, unless the program has changed it, too.

        Raises:
            PluginError: The group is gone, or its capacity does not come.
        """
        del call
        api = self.api(new)
        changed = self.diff(old, new).names
        settings = _changed_settings(new, changed)
        if settings:
            api.update_auto_scaling_group(AutoScalingGroupName=resource_id, **settings)
        _change_tags(api, resource_id, old, new)
        _change_targets(api, resource_id, old, new)
        refresh.start(api, resource_id, new, changed)
        if changed & {"minSize", "desiredCapacity"}:
            capacity.wait(api, resource_id, new)
        outputs = self.read(resource_id, {**state, **merged(new), "name": resource_id})
        if outputs is None:
            raise PluginError(f"Auto Scaling Group ({resource_id}) is gone; a refresh will notice")
        return outputs

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """Drain it, unless it goes by force; then DeleteAutoScalingGroup, and wait until it is gone."""
        del call
        api = self.api(state)
        if describe(api, resource_id) is None:
            return
        force = bool(state.get("forceDelete"))
        if not force:
            _drain(api, resource_id)
        wait_until(
            f"{resource_id} to be free",
            lambda: _delete(api, resource_id, force=force),
            seconds=DELETE_SECONDS,
        )
        wait_until(
            f"{resource_id} to be deleted",
            lambda: describe(api, resource_id) is None,
            seconds=DELETE_SECONDS,
        )


def _settings(inputs: Values) -> dict[str, Any]:
    settings = {wire: inputs[name] for name, wire in PLAIN.items() if inputs.get(name) is not None}
    if inputs.get("launchTemplate"):
        template = inputs["launchTemplate"]
        keys = {"id": "LaunchTemplateId", "name": "LaunchTemplateName", "version": "Version"}
        settings["LaunchTemplate"] = {keys[name]: value for name, value in template.items() if value}
    if inputs.get("vpcZoneIdentifiers"):
        settings["VPCZoneIdentifier"] = ",".join(inputs["vpcZoneIdentifiers"])
    if inputs.get("instanceMaintenancePolicy"):
        policy = inputs["instanceMaintenancePolicy"]
        settings["InstanceMaintenancePolicy"] = {
            re.sub("^m", "M", name): value for name, value in policy.items()
        }
    return settings


def _changed_settings(new: Values, changed: frozenset[str]) -> dict[str, Any]:
    """Those that differ, and those that go along with them; empty if there is nothing to send.

    (hashicorp/terraform-provider-aws, internal/service/autoscaling/group.go, resourceGroupUpdate: `d.HasChange` before
    each; with "health_check_type" the grace period goes along, and "protect_from_scale_in" with everything.)
    """
    along = {"healthCheckGracePeriod"} if "healthCheckType" in changed else set()
    sent = {name: value for name, value in new.items() if name in changed | along}
    settings = _settings(sent)
    if settings:
        settings["NewInstancesProtectedFromScaleIn"] = bool(new.get("protectFromScaleIn"))
    return settings


def _tags(name: str, inputs: Values) -> list[dict[str, Any]]:
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": tag["key"],
            "Value": tag["value"],
            "PropagateAtLaunch": tag["propagateAtLaunch"],
        }
        for tag in inputs.get("tags") or []
    ]


def _change_tags(api: Any, name: str, old: Values, new: Values) -> None:
    before, after = _tags(name, old), _tags(name, new)
    kept = {tag["Key"] for tag in after}
    gone = [tag for tag in before if tag["Key"] not in kept]
    changed = [tag for tag in after if tag not in before]
    if gone:
        api.delete_tags(Tags=gone)
    if changed:
        api.create_or_update_tags(Tags=changed)


def _change_targets(api: Any, name: str, old: Values, new: Values) -> None:
    before, after = set(old.get("targetGroupArns") or []), set(new.get("targetGroupArns") or [])
    if before - after:
        api.detach_load_balancer_target_groups(
            AutoScalingGroupName=name, TargetGroupARNs=sorted(before - after)
        )
    if after - before:
        api.attach_load_balancer_target_groups(
            AutoScalingGroupName=name, TargetGroupARNs=sorted(after - before)
        )


def _drain(api: Any, name: str) -> None:
    """Sizes to 0, protection from scale in lifted, and wait until no machine is left."""
    api.update_auto_scaling_group(AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0)

    def empty() -> bool:
        found = describe(api, name)
        instances = found["Instances"] if found else []
        held = [one["InstanceId"] for one in instances if one["ProtectedFromScaleIn"]]
        if held:
            api.set_instance_protection(
                AutoScalingGroupName=name, InstanceIds=held, ProtectedFromScaleIn=False
            )
        return not instances

    wait_until(f"{name} to drain", empty, seconds=DELETE_SECONDS)


def _delete(api: Any, name: str, *, force: bool) -> bool:
    try:
        api.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=force)
    except api.exceptions.ClientError as error:
        if code_of(error) in {"ResourceInUse", "ScalingActivityInProgress"}:
            return False
        if code_of(error) != "ValidationError" or "not found" not in str(error):
            raise
    return True
