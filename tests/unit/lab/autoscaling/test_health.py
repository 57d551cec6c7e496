"""Target groups answer what their checks found, and groups and refreshes act on it."""

from pathlib import Path
from typing import Any

import httpx
from moto.core.base_backend import BackendDict

from lab import account as lab_account
from lab import environment
from lab.autoscaling.probes import Result
from tests.unit.lab.paper import PaperMachine
from tests.unit.lab.scaling import GROUP, Account

DOWN = Result("Target.FailedHealthChecks", "Health checks failed")
WRONG = Result("Target.ResponseCodeMismatch", "Health checks failed with these codes: [404]")


def balanced(account: Account, **options: Any) -> str:
    """A group of two behind a load balancer, with health checks of Elastic Load Balancing."""
    account.version()
    target_group = account.target_group()
    account.use(target_group)
    account.create(2, TargetGroupARNs=[target_group], HealthCheckType="ELB", **options)
    account.advance(1)
    return target_group


def test_a_target_is_initial_until_it_has_passed_one_check(account: Account) -> None:
    target_group = account.target_group()
    account.use(target_group)
    account.answers = dict.fromkeys((f"172.31.0.{n}" for n in range(256)), DOWN)
    account.create(1, TargetGroupARNs=[target_group])
    [found] = account.health(target_group)
    assert (found["State"], found["Reason"]) == ("initial", "Elb.InitialHealthChecking")
    account.answers.clear()
    account.advance(10)
    assert account.health(target_group) == [{"State": "healthy"}]


def test_a_target_group_that_no_load_balancer_uses_makes_no_checks(account: Account) -> None:
    target_group = account.target_group()
    account.create(1, TargetGroupARNs=[target_group])
    account.advance(60)
    [found] = account.health(target_group)
    assert (found["State"], found["Reason"]) == ("unused", "Target.NotInUse")


def test_thresholds_count_in_a_row_and_the_reason_is_the_last_checks(account: Account) -> None:
    target_group = balanced(account, HealthCheckGracePeriod=3600)
    sick, _ = account.members()
    account.answers[account.address(sick)] = WRONG
    account.advance(10)
    assert account.health(target_group) == [{"State": "healthy"}] * 2
    account.advance(10)
    states = sorted(account.health(target_group), key=lambda one: str(one["State"]))
    assert states == [
        {"State": "healthy"},
        {"State": "unhealthy", "Reason": WRONG.reason, "Description": WRONG.description},
    ]
    account.answers.clear()
    account.advance(40)
    assert [one["State"] for one in account.health(target_group)].count("healthy") == 1
    account.advance(10)
    assert account.health(target_group) == [{"State": "healthy"}] * 2


def test_an_unhealthy_machine_is_replaced_after_the_grace_period_only(account: Account) -> None:
    balanced(account, HealthCheckGracePeriod=300)
    sick, _ = account.members()
    account.answers[account.address(sick)] = DOWN
    account.advance(290)
    assert sick in account.members()
    account.advance(20)
    assert sick not in account.members()
    assert len(account.members()) == 2
    assert not PaperMachine.all[sick].running


def test_a_group_that_asks_ec2_alone_keeps_it(account: Account) -> None:
    balanced(account)
    account.scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, HealthCheckType="EC2")
    members = account.members()
    account.answers = {account.address(one): DOWN for one in members}
    account.advance(600)
    assert account.members() == members


def test_a_version_that_does_not_answer_fails_after_an_hour_and_returns(account: Account) -> None:
    balanced(account, HealthCheckGracePeriod=60)
    before = set(account.members())
    healthy = {account.address(one) for one in before}

    class Answers(dict[str, Result]):
        def get(self, address: str, default: Any = None) -> Any:
            instances = account.ec2.describe_instances(
                Filters=[{"Name": "private-ip-address", "Values": [address]}]
            )["Reservations"][0]["Instances"]
            tags = {tag["Key"]: tag["Value"] for tag in instances[0]["Tags"]}
            broken = address not in healthy and tags["aws:ec2launchtemplate:version"] == "2"
            return DOWN if broken else default

    account.answers = Answers()
    account.start(MinHealthyPercentage=50, InstanceWarmup=0, AutoRollback=True)
    account.advance(3000)
    found = account.refresh()
    assert (found["Status"], found["PercentageComplete"]) == ("InProgress", 0)
    account.advance(900)
    found = account.refresh()
    assert found["Status"] == "RollbackSuccessful"
    assert "hour" in found["RollbackDetails"]["RollbackReason"]
    assert sorted(account.members().values()) == ["1", "1"]
    assert len(before & set(account.members())) == 1


def test_a_launch_that_ec2_has_no_room_for_is_tried_again(account: Account) -> None:
    rule = {"action": "RunInstances", "kind": "no-capacity", "times": 1, "key": environment.AUTO_SCALING}
    httpx.put(f"{account.ec2.meta.endpoint_url}/lab-api/faults", json=[rule]).raise_for_status()
    account.create(1)
    assert account.members() == {}
    [activity] = account.scaling.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
    assert activity["StatusCode"] == "Failed"
    assert "sufficient capacity" in activity["StatusMessage"]
    account.advance(30)
    assert list(account.members().values()) == ["1"]


def test_state_survives_a_restart(account: Account, tmp_path: Path) -> None:
    target_group = balanced(account)
    account.start(InstanceWarmup=300)
    account.advance(10)
    refresh, group, health = account.refresh(), account.group(), account.health(target_group)
    BackendDict.reset()
    lab_account.load(tmp_path / "state")
    assert (account.refresh(), account.group(), account.health(target_group)) == (refresh, group, health)
    account.advance(300)
    account.advance(300)
    assert account.refresh()["Status"] == "Successful"


def test_somebody_who_calls_a_machine_unhealthy_is_heard_after_the_grace_period(account: Account) -> None:
    account.create(2, HealthCheckGracePeriod=300)
    sick, other = account.members()
    account.scaling.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    account.scaling.set_instance_health(
        InstanceId=other, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
    )
    account.advance(1)
    assert sick in account.members()
    assert other not in account.members()
    account.advance(300)
    assert sick not in account.members()


def test_a_machine_that_ends_by_itself_is_no_target_any_more(account: Account) -> None:
    target_group = balanced(account)
    lost, _ = account.members()
    account.ec2.modify_instance_attribute(
        InstanceId=lost, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    PaperMachine.all[lost].power_off_from_inside()
    account.advance(10)
    targets = account.balancing.describe_target_health(TargetGroupArn=target_group)
    ids = {one["Target"]["Id"] for one in targets["TargetHealthDescriptions"]}
    assert ids == set(account.members())
    assert lost not in ids


def test_a_detached_machine_leaves_group_and_target_group_and_stays(account: Account) -> None:
    target_group = balanced(account)
    gone, kept = account.members()
    account.scaling.detach_instances(
        AutoScalingGroupName=GROUP, InstanceIds=[gone], ShouldDecrementDesiredCapacity=True
    )
    account.advance(10)
    assert list(account.members()) == [kept]
    assert account.health(target_group) == [{"State": "healthy"}]
    assert PaperMachine.all[gone].running


def test_a_target_group_gets_the_machines_that_run_and_is_detached_again(account: Account) -> None:
    account.create(2)
    account.scaling.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["ReplaceUnhealthy"])
    stopped, runs = account.members()
    account.ec2.stop_instances(InstanceIds=[stopped])
    target_group = account.target_group()
    account.scaling.attach_load_balancer_target_groups(
        AutoScalingGroupName=GROUP, TargetGroupARNs=[target_group]
    )
    account.advance(1)
    [found] = account.balancing.describe_target_health(TargetGroupArn=target_group)[
        "TargetHealthDescriptions"
    ]
    assert found["Target"]["Id"] == runs
    account.scaling.detach_load_balancer_target_groups(
        AutoScalingGroupName=GROUP, TargetGroupARNs=[target_group]
    )
    assert (account.health(target_group), account.group()["TargetGroupARNs"]) == ([], [])
