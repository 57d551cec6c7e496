"""A group has the machines that it asks for."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lab.paper import PaperMachine
from tests.unit.lab.scaling import GROUP, Account


def running() -> list[str]:
    return [one.instance_id for one in PaperMachine.all.values() if one.running]


def test_a_group_boots_what_it_asks_for_from_the_numbered_version(account: Account) -> None:
    account.version(b"v2")
    account.create(2)
    members = account.members()
    assert list(members.values()) == ["1", "1"]
    assert sorted(running()) == sorted(members)
    assert {PaperMachine.all[one].seeds[0].user_data for one in members} == {b"v1"}
    assert all(str(PaperMachine.all[one].seeds[0].address).startswith("172.31.") for one in members)


def test_a_change_of_the_desired_capacity_launches_and_ends_machines(account: Account) -> None:
    account.create(1)
    [first] = account.members()
    account.scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=3)
    account.advance(1)
    assert len(account.members()) == 3
    account.scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=2)
    account.advance(1)
    assert account.group()["DesiredCapacity"] == 2
    assert first not in running()
    assert len(running()) == 2


@pytest.mark.parametrize("way", ["terminate_instances", "stop_instances"])
def test_a_machine_that_ends_is_replaced(account: Account, way: str) -> None:
    account.create(2, HealthCheckGracePeriod=3600)
    lost, kept = account.members()
    getattr(account.ec2, way)(InstanceIds=[lost])
    account.advance(1)
    members = account.members()
    assert lost not in members
    assert kept in members
    assert len(members) == 2
    assert sorted(running()) == sorted(members)


def test_a_group_goes_with_its_machines_only_by_force(account: Account) -> None:
    account.create(1)
    with pytest.raises(ClientError, match="ResourceInUse"):
        account.scaling.delete_auto_scaling_group(AutoScalingGroupName=GROUP)
    account.scaling.delete_auto_scaling_group(AutoScalingGroupName=GROUP, ForceDelete=True)
    account.advance(1)
    assert account.scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []
    assert running() == []


def test_a_second_group_of_the_name_is_refused(account: Account) -> None:
    account.create(0)
    with pytest.raises(ClientError, match="AlreadyExists"):
        account.create(0)


def test_sizes_hold(account: Account) -> None:
    account.create(1, MaxSize=2)
    with pytest.raises(ClientError, match="above max value 2"):
        account.scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=3)


def test_moto_settings_that_the_lab_adds_are_answered(account: Account) -> None:
    policy: dict[str, Any] = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}
    account.create(0, DefaultInstanceWarmup=30, InstanceMaintenancePolicy=policy)
    group = account.group()
    assert (group["DefaultInstanceWarmup"], group["HealthCheckGracePeriod"]) == (30, 0)
    assert group["InstanceMaintenancePolicy"] == policy
