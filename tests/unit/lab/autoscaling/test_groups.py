"""A group has the machines that it asks for."""

from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError
from moto.autoscaling.models import autoscaling_backends

from lab import settings
from tests.unit.lab.paper import PaperMachine, run, source
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


def test_a_group_of_a_launch_configuration_boots_as_well(account: Account) -> None:
    account.scaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId=source(account.ec2), InstanceType="t3.micro", UserData="old"
    )
    account.scaling.create_auto_scaling_group(
        AutoScalingGroupName=GROUP, LaunchConfigurationName="old", MinSize=1, MaxSize=1,
        AvailabilityZones=["eu-west-1a"],
    )  # fmt: skip
    account.advance(0)
    [machine] = PaperMachine.all.values()
    assert machine.running
    assert machine.seeds[0].user_data == b"old"


def test_a_machine_that_is_attached_by_hand_counts(account: Account) -> None:
    account.create(1)
    instance_id, _ = run(account.ec2)
    account.scaling.attach_instances(AutoScalingGroupName=GROUP, InstanceIds=[instance_id])
    account.advance(1)
    group = account.group()
    assert group["DesiredCapacity"] == 2
    assert {one["LifecycleState"] for one in group["Instances"]} == {"InService"}
    assert instance_id in {one["InstanceId"] for one in group["Instances"]}
    assert len(running()) == 2


def test_what_is_suspended_is_not_done(account: Account) -> None:
    account.create(2)
    lost, _ = account.members()
    account.scaling.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["Launch"])
    account.ec2.terminate_instances(InstanceIds=[lost])
    account.advance(60)
    assert len(account.members()) == 1
    account.scaling.resume_processes(AutoScalingGroupName=GROUP)
    account.advance(1)
    assert len(account.members()) == 2


def test_the_lab_knows_who_called_what_of_the_services_beside_ec2(account: Account) -> None:
    account.alarm("a", "OK")
    account.watch.describe_alarms(AlarmNames=["a"])
    account.balancing.describe_target_groups()
    calls = httpx.get(f"{account.ec2.meta.endpoint_url}/lab-api/calls").json()
    found = {(one["service"], one["action"]) for one in calls}
    assert {("monitoring", "DescribeAlarms"), ("elasticloadbalancing", "DescribeTargetGroups")} <= found


def test_a_lab_that_was_killed_before_it_wrote_a_launch_down_takes_the_machine_up(account: Account) -> None:
    account.create(1)
    [group] = autoscaling_backends[settings.ACCOUNT_ID][settings.REGION].autoscaling_groups.values()
    members = account.members()
    group.instance_states = []
    assert account.members() == {}
    account.advance(1)
    assert account.members() == members
    assert len(running()) == 1
