"""The wait of aws:autoscaling/group:Group for its machines."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from lab.plugins.aws.base import POLL_SECONDS, client, region
from lab.plugins.server import PluginError

if TYPE_CHECKING:
    from lab.plugins.resource import Values

UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0}


def seconds(duration: str) -> float | None:
    """What a duration of Go such as ``10m``, ``1h30m`` or ``0`` means, in seconds, or None."""
    if duration == "0":
        return 0.0
    parts = re.findall(r"(\d+(?:\.\d+)?)([hms])", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        return None
    return sum(float(number) * UNITS[unit] for number, unit in parts)


def wait(api: Any, name: str, inputs: Values) -> None:
    """Wait until enough machines are healthy: the desired capacity if given, else the least size; 0 does not wait.

    (Provider documentation, "Waiting for Capacity".) A launch that fails ends the wait, unless
    `ignoreFailedScalingActivities`.

    Raises:
        PluginError: It took too long, or a launch failed.
    """
    limit = seconds(inputs.get("waitForCapacityTimeout") or "10m") or 0.0
    wanted = inputs.get("desiredCapacity")
    wanted = inputs["minSize"] if wanted is None else wanted
    balanced = inputs.get("waitForElbCapacity") or inputs.get("minElbCapacity") or 0
    deadline = time.monotonic() + limit
    while limit:
        missing = _missing(api, name, inputs, wanted=wanted, balanced=balanced)
        if missing is None:
            return
        failed = None if inputs.get("ignoreFailedScalingActivities") else _failure(api, name)
        if failed or time.monotonic() > deadline:
            why = failed or (
                f"timeout while waiting for state to become 'ok' (last state: '{missing}', "
                f"timeout: {inputs.get('waitForCapacityTimeout') or '10m'})"
            )
            raise PluginError(f"waiting for Auto Scaling Group ({name}) capacity satisfied: {why}")
        time.sleep(POLL_SECONDS)


def _missing(api: Any, name: str, inputs: Values, *, wanted: int, balanced: int) -> str | None:
    """What it waits for; None if all is there."""
    found = api.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    healthy = [
        one
        for group in found  # none, as long as reads lag behind a create
        for one in group["Instances"]
        if (one["HealthStatus"], one["LifecycleState"]) == ("Healthy", "InService")
    ]
    if len(healthy) < wanted:
        return f"want at least {wanted} healthy instance(s) in Auto Scaling Group, have {len(healthy)}"
    if not balanced:
        return None
    balancer = client("elbv2", inputs.get("region") or region())
    enough = min(
        sum(one["TargetHealth"]["State"] == "healthy" for one in _targets(balancer, arn))
        for arn in inputs.get("targetGroupArns") or [""]
    )
    if enough < balanced:
        return f"want at least {balanced} healthy instance(s) registered to Load Balancer, have {enough}"
    return None


def _targets(balancer: Any, arn: str) -> list[dict[str, Any]]:
    if not arn:
        return []
    found: list[dict[str, Any]] = balancer.describe_target_health(TargetGroupArn=arn)[
        "TargetHealthDescriptions"
    ]
    return found


def _failure(api: Any, name: str) -> str | None:
    """The newest scaling activity, if it failed."""
    found = api.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=1)["Activities"]
    if not found or found[0]["StatusCode"] != "Failed":
        return None
    return f"scaling activity ({found[0]['ActivityId']}): Failed: {found[0].get('StatusMessage', '')}"
