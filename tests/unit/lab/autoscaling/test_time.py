"""An advance of the time: all that AWS has written down is so much older, by the host's clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from lab import settings
from lab.autoscaling.clock import Clock
from tests.unit.lab.scaling import GROUP, Account

DAY = 86_400
NAME = "/golden-image/web/prod"
NEAR = 30.0
"""By how many seconds an age may differ: how long a test may take."""


def client(account: Account, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, endpoint_url=account.ec2.meta.endpoint_url, region_name=settings.REGION,
        aws_access_key_id="lab", aws_secret_access_key="lab",
    )  # fmt: skip


def age(then: datetime) -> float:
    return (datetime.now(UTC) - then).total_seconds()


def test_times_of_groups_are_those_of_the_host_and_grow_older(account: Account) -> None:
    account.version()
    account.create(2)
    account.advance(DAY)
    account.start(InstanceWarmup=60, MinHealthyPercentage=50, BakeTime=DAY)
    assert "StartTime" not in account.refresh(), "it is Pending"
    account.advance(0)
    assert 0 <= age(account.refresh()["StartTime"]) < NEAR
    assert account.refresh()["StartTime"].microsecond == 0, "AWS answers whole seconds"
    account.advance(600)
    assert account.refresh()["Status"] == "Baking"
    account.scaling.rollback_instance_refresh(AutoScalingGroupName=GROUP)
    account.advance(600)
    found = account.refresh()
    assert found["Status"] == "RollbackSuccessful"
    assert age(found["StartTime"]) == pytest.approx(1200, abs=NEAR)
    assert age(found["RollbackDetails"]["RollbackStartTime"]) == pytest.approx(600, abs=NEAR)
    assert found["StartTime"] < found["EndTime"] < datetime.now(UTC)
    again = account.refresh()
    assert (again["StartTime"], again["EndTime"]) == (found["StartTime"], found["EndTime"])
    assert age(account.group()["CreatedTime"]) == pytest.approx(DAY + 1200, abs=NEAR)


def test_an_activity_is_as_old_as_it_is(account: Account) -> None:
    account.create(1)
    account.advance(DAY)
    [activity] = account.scaling.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
    assert age(activity["StartTime"]) == pytest.approx(DAY, abs=NEAR)
    assert f"At {activity['StartTime']:%Y-%m-%dT%H:%M}" in activity["Cause"]


def test_a_clock_that_is_started_again_answers_the_same(tmp_path: Path) -> None:
    clock = Clock(tmp_path / "clock.json")
    clock.move(DAY)
    then = clock.now()
    clock.keep()
    again = Clock(tmp_path / "clock.json")
    assert abs(again.host(then) - clock.host(then)) < timedelta(seconds=1)
    assert 0 <= age(again.host(again.now())) < 1


@pytest.mark.parametrize("lag", [(), ("stale-reads", "late-image-parameters")])
def test_parameters_grow_older_wherever_they_are_read(account: Account, lag: tuple[str, ...]) -> None:
    httpx.put(f"{account.ec2.meta.endpoint_url}/lab-api/manners", json=lag).raise_for_status()
    ssm = client(account, "ssm")
    image = account.ec2.register_image(Name="web", Architecture="x86_64")["ImageId"]
    for _ in range(2):
        ssm.put_parameter(Name=NAME, Type="String", Value=image, DataType="aws:ec2:image", Overwrite=True)
    account.advance(DAY)
    for _ in range(20):  # some of the reads lag, if there is anything to lag behind
        times = [
            ssm.get_parameter(Name=NAME)["Parameter"]["LastModifiedDate"],
            *(one["LastModifiedDate"] for one in ssm.get_parameter_history(Name=NAME)["Parameters"]),
            *(one["LastModifiedDate"] for one in ssm.get_parameters_by_path(Path="/golden-image/web")["Parameters"]),
            *(one["LastModifiedDate"] for one in ssm.describe_parameters()["Parameters"]),
        ]  # fmt: skip
        assert len(times) == 5, times
        assert [age(one) for one in times] == pytest.approx([DAY] * 5, abs=NEAR)
    ssm.put_parameter(Name="/other", Type="String", Value="new")
    while True:
        try:
            found = ssm.get_parameter(Name="/other")["Parameter"]
            break
        except ssm.exceptions.ParameterNotFound:
            assert lag
    assert age(found["LastModifiedDate"]) < NEAR


def test_images_machines_and_launch_templates_grow_older(account: Account) -> None:
    account.create(1)
    [machine] = account.members()
    image = account.ec2.create_image(InstanceId=machine, Name="web")["ImageId"]
    account.advance(DAY)
    [found] = account.ec2.describe_images(ImageIds=[image])["Images"]
    [snapshot] = account.ec2.describe_snapshots(
        SnapshotIds=[found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]]
    )["Snapshots"]
    [launched] = account.ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    [template] = account.ec2.describe_launch_templates()["LaunchTemplates"]
    [version] = account.ec2.describe_launch_template_versions(LaunchTemplateId=account.template)[
        "LaunchTemplateVersions"
    ]
    times = [
        datetime.fromisoformat(found["CreationDate"]), snapshot["StartTime"], launched["LaunchTime"],
        template["CreateTime"], version["CreateTime"],
    ]  # fmt: skip
    assert [age(one) for one in times] == pytest.approx([DAY] * 5, abs=NEAR)
