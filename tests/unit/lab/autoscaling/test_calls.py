"""The calls of a roll-out, as a program makes them: what they answer, when they lag, and how a fault strikes them."""

import time
from collections.abc import Callable
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from lab import environment, settings
from tests.unit.lab.scaling import GROUP, Account

KEY = "program"
POINTER = "/golden-image/web/prod"
Asked = Callable[[str], Any]


@pytest.fixture
def program(account: Account) -> Asked:
    """Clients of a program."""
    return somebody(account, KEY)


def somebody(account: Account, key: str) -> Asked:
    """Makes clients of a caller who asks once."""

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=account.ec2.meta.endpoint_url, region_name=settings.REGION,
            aws_access_key_id=key, aws_secret_access_key="lab", config=Config(retries={"total_max_attempts": 1}),
        )  # fmt: skip

    return client


def lab(account: Account, name: str, body: Any) -> None:
    httpx.put(f"{account.ec2.meta.endpoint_url}/lab-api/{name}", json=body).raise_for_status()


def version(account: Account, number: str) -> dict[str, Any]:
    return {"LaunchTemplate": {"LaunchTemplateId": account.template, "Version": number}}


CALLS: dict[str, Callable[[Asked, Account, str], Any]] = {
    "DescribeAutoScalingGroups": lambda ask, _, __: ask("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[GROUP]
    ),
    "DescribeInstanceRefreshes": lambda ask, _, __: ask("autoscaling").describe_instance_refreshes(
        AutoScalingGroupName=GROUP, MaxRecords=20
    ),
    "StartInstanceRefresh": lambda ask, account, _: ask("autoscaling").start_instance_refresh(
        AutoScalingGroupName=GROUP, DesiredConfiguration=version(account, "2")
    ),
    "RollbackInstanceRefresh": lambda ask, _, __: ask("autoscaling").rollback_instance_refresh(
        AutoScalingGroupName=GROUP
    ),
    "CancelInstanceRefresh": lambda ask, _, __: ask("autoscaling").cancel_instance_refresh(
        AutoScalingGroupName=GROUP
    ),
    "DescribeScalingActivities": lambda ask, _, __: ask("autoscaling").describe_scaling_activities(
        AutoScalingGroupName=GROUP, MaxRecords=20
    ),
    "UpdateAutoScalingGroup": lambda ask, _, __: ask("autoscaling").update_auto_scaling_group(
        AutoScalingGroupName=GROUP, MaxSize=9
    ),
    "DescribeTargetHealth": lambda ask, _, target_group: ask("elbv2").describe_target_health(
        TargetGroupArn=target_group
    ),
    "DescribeTargetGroups": lambda ask, _, target_group: ask("elbv2").describe_target_groups(
        TargetGroupArns=[target_group]
    ),
    "DescribeAlarms": lambda ask, _, __: ask("cloudwatch").describe_alarms(
        AlarmNames=["5xx"], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    ),
    "GetConsoleOutput": lambda ask, account, _: ask("ec2").get_console_output(
        InstanceId=next(iter(account.members())), Latest=True
    ),
    "DescribeLaunchTemplates": lambda ask, account, _: ask("ec2").describe_launch_templates(
        LaunchTemplateIds=[account.template]
    ),
    "DescribeLaunchTemplateVersions": lambda ask, account, _: ask("ec2").describe_launch_template_versions(
        LaunchTemplateId=account.template, Versions=["2"]
    ),
    "ModifyLaunchTemplate": lambda ask, account, _: ask("ec2").modify_launch_template(
        LaunchTemplateId=account.template, DefaultVersion="2"
    ),
    "PutParameter": lambda ask, account, _: ask("ssm").put_parameter(
        Name=POINTER, Type="String", Value=image(account), DataType="aws:ec2:image", Overwrite=True
    ),
    "LabelParameterVersion": lambda ask, _, __: ask("ssm").label_parameter_version(
        Name=POINTER, ParameterVersion=1, Labels=["golden-image.prod.word"]
    ),
}


def image(account: Account) -> str:
    return str(account.ec2.describe_images()["Images"][0]["ImageId"])


def prepare(account: Account, action: str) -> str:
    """All that the calls are about is there; returns the target group."""
    target_group = account.target_group()
    account.use(target_group)
    account.version()
    account.create(1, TargetGroupARNs=[target_group])
    account.advance(10)
    account.alarm("5xx", "OK")
    somebody(account, "lab")("ssm").put_parameter(
        Name=POINTER, Type="String", Value=image(account), DataType="aws:ec2:image"
    )
    if action in {"RollbackInstanceRefresh", "CancelInstanceRefresh"}:
        account.start(InstanceWarmup=600)
    return target_group


@pytest.mark.parametrize("action", CALLS)
def test_each_call_is_answered_and_a_fault_strikes_the_program_s_alone(
    account: Account, program: Asked, action: str
) -> None:
    target_group = prepare(account, action)
    call = CALLS[action]

    lab(account, "faults", [{"action": action, "kind": "error", "key": KEY, "code": "AccessDenied"}])
    if action not in {"StartInstanceRefresh", "RollbackInstanceRefresh", "CancelInstanceRefresh"}:
        call(somebody(account, "lab"), account, target_group)
    with pytest.raises(ClientError) as refused:
        call(program, account, target_group)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"

    lab(account, "faults", [{"action": action, "kind": "lost", "key": KEY}])
    with pytest.raises(HTTPClientError):
        call(program, account, target_group)
    lab(account, "faults", [])
    if action == "StartInstanceRefresh":
        with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
            call(program, account, target_group)  # a lost answer is one of a call that was carried out
    elif action == "CancelInstanceRefresh":
        assert account.refresh()["Status"] == "Cancelling"
    elif action == "RollbackInstanceRefresh":
        assert account.refresh()["Status"] == "RollbackInProgress"
    else:
        call(program, account, target_group)


def test_nobody_takes_the_version_from_under_a_refresh(account: Account, program: Asked) -> None:
    account.version()
    account.create(2)
    account.start(InstanceWarmup=600)
    scaling = program("autoscaling")
    with pytest.raises(ClientError, match="An active instance refresh with a desired configuration exists"):
        scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, **version(account, "2"))
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MaxSize=9)
    scaling.cancel_instance_refresh(AutoScalingGroupName=GROUP)
    account.advance(1)
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, **version(account, "2"))
    assert account.group()["LaunchTemplate"]["Version"] == "2"


def test_activities_come_page_by_page_and_one_ends_when_its_machine_has(
    account: Account, program: Asked
) -> None:
    account.create(3)
    scaling = program("autoscaling")
    first = scaling.describe_scaling_activities(AutoScalingGroupName=GROUP, MaxRecords=2)
    rest = scaling.describe_scaling_activities(AutoScalingGroupName=GROUP, NextToken=first["NextToken"])
    assert [len(first["Activities"]), len(rest["Activities"])] == [2, 1]
    assert {one["StatusCode"] for one in first["Activities"]} == {"Successful"}
    assert "NextToken" not in rest

    def newest() -> dict[str, Any]:
        found = scaling.describe_scaling_activities(AutoScalingGroupName=GROUP, MaxRecords=1)
        return dict(found["Activities"][0])

    account._time(rate=1)
    lab(
        account, "faults", [{"action": "TerminateInstances", "kind": "hold", "key": environment.AUTO_SCALING}]
    )
    scaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, DesiredCapacity=2)
    until(lambda: newest()["Description"].startswith("Terminating"))
    assert (newest()["StatusCode"], "EndTime" in newest()) == ("InProgress", False)
    lab(account, "faults", [])
    until(lambda: newest()["StatusCode"] == "Successful")
    assert newest()["EndTime"].microsecond == 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_alarm_made_of_alarms_is_one_where_it_is_asked_for(account: Account, program: Asked) -> None:
    account.alarm("5xx", "OK")
    watch = program("cloudwatch")
    watch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(5xx)")
    assert watch.describe_alarms(AlarmNames=["5xx", "both"])["CompositeAlarms"] == []
    watch.set_alarm_state(AlarmName="both", StateValue="ALARM", StateReason="a test says so")
    found = watch.describe_alarms(AlarmNames=["5xx", "both"], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert [one["StateValue"] for one in found["MetricAlarms"]] == ["OK"]
    assert [one["StateValue"] for one in found["CompositeAlarms"]] == ["ALARM"]

    account.version()
    account.create(1)
    account.start(AlarmSpecification={"Alarms": ["both"]})
    account.advance(1)
    assert account.refresh()["Status"] == "Failed"


def test_the_console_of_a_machine_outlives_it_by_an_hour(account: Account, program: Asked) -> None:
    account.create(1)
    [machine] = account.members()
    account.ec2.terminate_instances(InstanceIds=[machine])
    account.advance(3500)
    assert program("ec2").get_console_output(InstanceId=machine, Latest=True)["Output"]
    account.advance(200)
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        program("ec2").get_console_output(InstanceId=machine, Latest=True)
