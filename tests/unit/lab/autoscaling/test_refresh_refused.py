"""Instance refreshes that are refused, or wait for what does not come."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from lab import environment
from tests.unit.lab.autoscaling.test_refresh import HOUR, versions
from tests.unit.lab.scaling import GROUP, Account


@pytest.mark.parametrize(
    ("group", "version"), [({"Version": "$Latest"}, "2"), ({"Version": "$Default"}, "2"), ({}, None)]
)
def test_where_no_return_is_possible_it_is_refused(
    account: Account, group: dict[str, str], version: str | None
) -> None:
    account.version()
    template = {"LaunchTemplateId": account.template, "Version": "1", **group}
    account.create(1, LaunchTemplate=template)
    with pytest.raises(ClientError, match="AutoRollback"):
        account.start(version, AutoRollback=True)
    account.start(version, InstanceWarmup=60)
    with pytest.raises(ClientError, match=r"\(IrreversibleInstanceRefresh\)"):
        account.scaling.rollback_instance_refresh(AutoScalingGroupName=GROUP)


def test_a_template_that_names_a_parameter_cannot_be_returned_to(account: Account) -> None:
    account.version()
    account.create(0)
    made = account.ec2.create_launch_template_version(
        LaunchTemplateId=account.template,
        LaunchTemplateData={"ImageId": "resolve:ssm:/golden-image/web/prod"},
    )
    number = str(made["LaunchTemplateVersion"]["VersionNumber"])
    account.scaling.update_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchTemplate={"LaunchTemplateId": account.template, "Version": number}
    )
    account.start()
    with pytest.raises(ClientError, match=r"\(IrreversibleInstanceRefresh\)"):
        account.scaling.rollback_instance_refresh(AutoScalingGroupName=GROUP)


@pytest.mark.parametrize(
    ("preferences", "words"),
    [
        ({"MaxHealthyPercentage": 150}, "MinHealthyPercentage must be given"),
        ({"MinHealthyPercentage": 50, "MaxHealthyPercentage": 200}, "differ by 100"),
        ({"CheckpointPercentages": [50, 50]}, "ascending"),
        ({"CheckpointDelay": 5}, "needs CheckpointPercentages"),
        ({"AlarmSpecification": {"Alarms": ["nobody"]}}, "does not exist"),
    ],
)
def test_preferences_that_contradict_themselves_are_refused(
    pair: Account, preferences: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        pair.start(**preferences)


def test_a_protected_machine_lets_it_wait_for_an_hour_and_fail(pair: Account) -> None:
    first, _ = pair.members()
    pair.scaling.set_instance_protection(
        AutoScalingGroupName=GROUP, InstanceIds=[first], ProtectedFromScaleIn=True
    )
    pair.start(InstanceWarmup=0)
    pair.advance(HOUR - 60)
    assert pair.refresh()["Status"] == "InProgress"
    assert "protected from scale in" in pair.refresh()["StatusReason"]
    pair.advance(120)
    assert pair.refresh()["Status"] == "Failed"
    assert first in pair.members()


def test_a_version_that_is_not_there_is_refused(pair: Account) -> None:
    with pytest.raises(ClientError, match=r"\(ValidationError\).*fully-formed launch template"):
        pair.start("9")


def test_a_group_without_machines_has_the_version_at_once(account: Account) -> None:
    account.version()
    account.create(0)
    account.start()
    account.advance(1)
    assert (account.refresh()["Status"], account.refresh()["PercentageComplete"]) == ("Successful", 100)
    assert account.group()["LaunchTemplate"]["Version"] == "2"


def test_without_room_for_a_launch_it_waits_says_so_and_goes_on(pair: Account) -> None:
    rule = {"action": "RunInstances", "kind": "no-capacity", "times": 9, "key": environment.AUTO_SCALING}
    faults = f"{pair.ec2.meta.endpoint_url}/lab-api/faults"
    httpx.put(faults, json=[rule]).raise_for_status()
    pair.start(InstanceWarmup=0)
    pair.advance(40)
    assert versions(pair) == ["1"]
    assert pair.refresh()["Status"] == "InProgress"
    assert "sufficient capacity" in pair.refresh()["StatusReason"]
    httpx.put(faults, json=[]).raise_for_status()
    pair.advance(60)
    assert pair.refresh()["Status"] == "Successful"
    assert versions(pair) == ["2", "2"]
