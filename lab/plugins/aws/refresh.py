"""The block `instanceRefresh` of aws:autoscaling/group:Group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.plugins.aws.base import code_of, wait_until
from lab.plugins.fields import BOOLEAN, INTEGER, STRING, Block, Field, ListOf

if TYPE_CHECKING:
    from lab.plugins.resource import Values

CANCEL_SECONDS = 1200.0
TRIGGERS = frozenset({"launchTemplate"})
"""What starts a refresh in any case, of what the stand-in knows."""

PREFERENCES = {
    "minHealthyPercentage": "MinHealthyPercentage",
    "maxHealthyPercentage": "MaxHealthyPercentage",
    "skipMatching": "SkipMatching",
    "autoRollback": "AutoRollback",
    "checkpointPercentages": "CheckpointPercentages",
    "scaleInProtectedInstances": "ScaleInProtectedInstances",
    "standbyInstances": "StandbyInstances",
}
NUMBERS = {"instanceWarmup": "InstanceWarmup", "checkpointDelay": "CheckpointDelay"}
"""Whole numbers that the provider takes as text."""

BLOCK = Block(
    {
        "strategy": Field(STRING, required=True, allowed=("Rolling",)),
        "triggers": Field(ListOf(STRING)),
        "preferences": Field(
            Block(
                {
                    "minHealthyPercentage": Field(INTEGER),
                    "maxHealthyPercentage": Field(INTEGER),
                    "instanceWarmup": Field(STRING),
                    "checkpointDelay": Field(STRING),
                    "checkpointPercentages": Field(ListOf(INTEGER)),
                    "skipMatching": Field(BOOLEAN),
                    "autoRollback": Field(BOOLEAN),
                    "scaleInProtectedInstances": Field(STRING),
                    "standbyInstances": Field(STRING),
                    "alarmSpecification": Field(Block({"alarms": Field(ListOf(STRING))})),
                }
            )
        ),
    }
)
"""There is no bake time in 7.51.1."""


def start(api: Any, name: str, new: Values, changed: frozenset[str]) -> None:
    """Start a refresh if the launch template or a trigger has changed; nobody waits for it.

    One that is on its way is cancelled first. With `autoRollback` the template goes along as desired configuration.
    """
    asked = new.get("instanceRefresh")
    if not asked or not changed & (TRIGGERS | set(asked.get("triggers") or [])):
        return
    arguments = {"AutoScalingGroupName": name, "Strategy": "Rolling", **_preferences(asked, new)}
    try:
        api.start_instance_refresh(**arguments)
    except api.exceptions.ClientError as error:
        if code_of(error) != "InstanceRefreshInProgress":
            raise
        _cancel(api, name)
        api.start_instance_refresh(**arguments)


def _preferences(asked: Values, new: Values) -> dict[str, Any]:
    said = asked.get("preferences") or {}
    wanted: dict[str, Any] = {"MinHealthyPercentage": 90, "SkipMatching": False}
    wanted |= {wire: said[name] for name, wire in PREFERENCES.items() if said.get(name) is not None}
    wanted |= {wire: int(said[name]) for name, wire in NUMBERS.items() if said.get(name)}
    if said.get("alarmSpecification"):
        wanted["AlarmSpecification"] = {"Alarms": said["alarmSpecification"]["alarms"]}
    arguments: dict[str, Any] = {"Preferences": wanted}
    if said.get("autoRollback"):
        keys = {"id": "LaunchTemplateId", "name": "LaunchTemplateName", "version": "Version"}
        template = {keys[key]: value for key, value in new["launchTemplate"].items() if value}
        arguments["DesiredConfiguration"] = {"LaunchTemplate": template}
    return arguments


def _cancel(api: Any, name: str) -> None:
    try:
        api.cancel_instance_refresh(AutoScalingGroupName=name)
    except api.exceptions.ClientError as error:
        if code_of(error) != "ActiveInstanceRefreshNotFound":
            raise

    def over() -> bool:
        found = api.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
        active = {"Pending", "InProgress", "Cancelling", "Baking", "RollbackInProgress"}
        return not any(one["Status"] in active for one in found)

    wait_until(f"the instance refresh of {name} to be cancelled", over, seconds=CANCEL_SECONDS)
