"""aws:lb/targetGroup:TargetGroup."""

from __future__ import annotations

import secrets as random
from typing import Any, ClassVar

from lab.plugins.aws.base import TAGS, AwsResource, client, code_of, region, tag_list, wait_until
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Block, Failures, Field
from lab.plugins.resource import Call, Values, merged
from lab.plugins.server import PluginError

DELETE_SECONDS = 120.0
LONGEST_NAME = 32
PREFIX = 6
CHECK = Block(
    {
        "enabled": Field(BOOLEAN),
        "healthyThreshold": Field(INTEGER),
        "unhealthyThreshold": Field(INTEGER),
        "interval": Field(INTEGER),
        "timeout": Field(INTEGER),
        "matcher": Field(STRING),
        "path": Field(STRING),
        "port": Field(STRING),
        "protocol": Field(STRING, allowed=("HTTP", "HTTPS", "TCP")),
    }
)
CHECK_NAMES = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "timeout": "HealthCheckTimeoutSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
}


class TargetGroup(AwsResource):
    """Who gets a load balancer's requests, and how they are asked for their health."""

    token: ClassVar[str] = "aws:lb/targetGroup:TargetGroup"
    name_field: ClassVar[str | None] = "name"
    prefix_field: ClassVar[str | None] = "namePrefix"
    fields: ClassVar[dict[str, Field]] = {
        "name": Field(STRING, replace=True),
        "namePrefix": Field(STRING, replace=True),
        "port": Field(INTEGER, replace=True),
        "protocol": Field(STRING, replace=True),
        "vpcId": Field(STRING, replace=True),
        "targetType": Field(STRING, replace=True, default="instance", allowed=("instance", "ip")),
        "deregistrationDelay": Field(INTEGER, default=300),
        "healthCheck": Field(CHECK),
        "tags": TAGS,
    }

    def check(self, old: Values, new: Values, call: Call) -> tuple[Values, Failures]:
        """A name that is made is cut to what AWS takes."""
        inputs, failures = super().check(old, new, call)
        if isinstance(inputs.get("name"), str) and "name" not in new:
            inputs["name"] = inputs["name"][-LONGEST_NAME:].strip("-")
        return inputs, failures

    def check_more(self, inputs: Values, failures: Failures) -> None:
        """What excludes each other, and lengths."""
        if "name" in inputs and "namePrefix" in inputs:
            failures.add("name", "'name' conflicts with 'namePrefix'")
        prefix = inputs.get("namePrefix")
        if isinstance(prefix, str) and len(prefix) > PREFIX:
            failures.add("namePrefix", f"cannot be longer than {PREFIX} characters: {prefix!r}")

    @staticmethod
    def api(values: Values) -> Any:
        """Elastic Load Balancing in the group's region."""
        return client("elbv2", values.get("region") or region())

    def create(self, inputs: Values, call: Call) -> tuple[str, Values]:
        """CreateTargetGroup, then its attributes."""
        del call
        api = self.api(inputs)
        name = inputs.get("name") or inputs["namePrefix"] + random.token_hex(13)
        given = {"protocol": "Protocol", "port": "Port", "vpcId": "VpcId", "targetType": "TargetType"}
        answer = api.create_target_group(
            Name=name[:LONGEST_NAME],
            **{wire: inputs[key] for key, wire in given.items() if inputs.get(key)},
            **_checks(inputs),
            **({"Tags": tag_list(inputs["tags"])} if inputs.get("tags") else {}),
        )
        arn: str = answer["TargetGroups"][0]["TargetGroupArn"]
        self._set_delay(api, arn, inputs)
        outputs = self.read(arn, merged(inputs, name=name[:LONGEST_NAME]))
        assert outputs is not None  # it was made a moment ago
        return arn, outputs

    @staticmethod
    def _set_delay(api: Any, arn: str, inputs: Values) -> None:
        value = str(inputs["deregistrationDelay"])
        api.modify_target_group_attributes(
            TargetGroupArn=arn,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": value}],
        )

    def read(self, resource_id: str, state: Values) -> Values | None:
        """DescribeTargetGroups."""
        api = self.api(state)
        try:
            found = api.describe_target_groups(TargetGroupArns=[resource_id])["TargetGroups"][0]
        except api.exceptions.ClientError as error:
            if code_of(error) == "TargetGroupNotFound":
                return None
            raise
        return {
            **state,
            "arn": resource_id,
            "arnSuffix": resource_id.rpartition(":")[2],
            "name": found["TargetGroupName"],
            "port": found.get("Port"),
            "protocol": found.get("Protocol"),
            "vpcId": found.get("VpcId"),
        }

    def update(self, resource_id: str, state: Values, old: Values, new: Values, call: Call) -> Values:
        """ModifyTargetGroup, attributes, tags.

        Raises:
            PluginError: The target group is gone.
        """
        del call
        api = self.api(new)
        changed = self.diff(old, new).names
        if "healthCheck" in changed:
            api.modify_target_group(TargetGroupArn=resource_id, **_checks(new))
        if "deregistrationDelay" in changed:
            self._set_delay(api, resource_id, new)
        before, after = old.get("tags") or {}, new.get("tags") or {}
        if gone := sorted(before.keys() - after.keys()):
            api.remove_tags(ResourceArns=[resource_id], TagKeys=gone)
        if more := {key: value for key, value in after.items() if before.get(key) != value}:
            api.add_tags(ResourceArns=[resource_id], Tags=tag_list(more))
        outputs = self.read(resource_id, {**state, **merged(new), "name": state["name"]})
        if outputs is None:
            raise PluginError(f"target group {resource_id} is gone; a refresh will notice")
        return outputs

    def delete(self, resource_id: str, state: Values, call: Call) -> None:
        """DeleteTargetGroup; tried again while a listener still uses it."""
        del call
        api = self.api(state)

        def deleted() -> bool:
            try:
                api.delete_target_group(TargetGroupArn=resource_id)
            except api.exceptions.ClientError as error:
                if code_of(error) == "ResourceInUse":
                    return False
                if code_of(error) != "TargetGroupNotFound":
                    raise
            return True

        wait_until(f"{resource_id} to be free", deleted, seconds=DELETE_SECONDS)


def _checks(inputs: Values) -> dict[str, Any]:
    said = inputs.get("healthCheck") or {}
    checks = {wire: said[name] for name, wire in CHECK_NAMES.items() if said.get(name) is not None}
    if said.get("matcher"):
        checks["Matcher"] = {"HttpCode": said["matcher"]}
    return checks
