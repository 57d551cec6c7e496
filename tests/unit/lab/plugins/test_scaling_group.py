"""aws:autoscaling/group:Group and aws:lb/targetGroup:TargetGroup against the paper lab, as an engine asks them."""

from typing import Any, cast

import httpx
import pytest

from lab import environment, settings
from lab.plugins import wire
from lab.plugins.aws import capacity
from lab.plugins.aws.scaling_group import Group
from lab.plugins.aws.target_group import TargetGroup
from lab.plugins.protocol import provider_pb2
from lab.plugins.resource import Call, InitError, Resource
from lab.plugins.server import Plugin, Servicer
from tests.unit.lab.scaling import Account

CALL = Call("urn:pulumi:dev::golden-image::aws:autoscaling/group:Group::web")


@pytest.fixture
def running(serving: Account) -> Account:
    """The time of its groups goes by, a hundred times as fast."""
    serving._time(rate=100)
    return serving


def checked(resource: Resource, **inputs: Any) -> dict[str, Any]:
    filled, failures = resource.check({}, inputs, CALL)
    assert failures.found == []
    return filled


def group(account: Account, **inputs: Any) -> dict[str, Any]:
    return checked(Group(), **{
        "minSize": 2,
        "maxSize": 4,
        "launchTemplate": {"id": account.template, "version": "1"},
        "vpcZoneIdentifiers": [settings.SUBNET_ID],
        **inputs,
    })  # fmt: skip


def test_it_is_created_when_its_machines_are_there_and_goes_when_they_are_gone(running: Account) -> None:
    tags = [{"key": "Role", "value": "web", "propagateAtLaunch": True}]
    inputs = group(running, tags=tags)
    name, outputs = Group().create(inputs, CALL)
    assert name.startswith("web-")
    assert (outputs["name"], outputs["desiredCapacity"]) == (name, 2)
    [found] = running.scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert [one["LifecycleState"] for one in found["Instances"]] == ["InService"] * 2
    ids = [one["InstanceId"] for one in found["Instances"]]
    instance = running.ec2.describe_instances(InstanceIds=ids)["Reservations"][0]["Instances"][0]
    assert {"Key": "Role", "Value": "web"} in instance["Tags"]
    assert Group().diff(inputs, Group().compared(inputs, outputs)).names == frozenset()

    Group().delete(name, outputs, CALL)
    assert Group().read(name, outputs) is None
    states = {
        one["State"]["Name"]
        for each in running.ec2.describe_instances()["Reservations"]
        for one in each["Instances"]
    }
    assert states == {"terminated"}


def test_by_force_it_does_not_drain(running: Account) -> None:
    name, outputs = Group().create(group(running, forceDelete=True), CALL)
    Group().delete(name, outputs, CALL)
    assert running.scaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []


@pytest.mark.parametrize(
    ("inputs", "words"),
    [({"waitForCapacityTimeout": "1s"}, "want at least 2 healthy"), ({}, "sufficient capacity")],
)
def test_a_capacity_that_does_not_come_is_an_error_and_the_group_is_kept(
    running: Account, inputs: dict[str, Any], words: str
) -> None:
    rule = {"action": "RunInstances", "kind": "no-capacity", "times": 99, "key": environment.AUTO_SCALING}
    httpx.put(f"{running.ec2.meta.endpoint_url}/lab-api/faults", json=[rule]).raise_for_status()
    ignored = {"ignoreFailedScalingActivities": True} if inputs else {}
    with pytest.raises(InitError, match=words) as error:
        Group().create(group(running, **inputs, **ignored), CALL)
    assert Group().read(error.value.resource_id, error.value.outputs) is not None


def test_a_timeout_of_zero_waits_for_nothing(running: Account) -> None:
    running._time(rate=0)
    name, _ = Group().create(group(running, waitForCapacityTimeout="0"), CALL)
    [found] = running.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert found["Instances"] == []


def test_a_new_version_leaves_machines_alone_unless_a_refresh_is_asked_for(running: Account) -> None:
    inputs = group(running)
    name, outputs = Group().create(inputs, CALL)
    running.version()
    new = {**inputs, "launchTemplate": {"id": running.template, "version": "2"}}
    outputs = Group().update(name, outputs, inputs, new, CALL)
    assert outputs["launchTemplate"]["version"] == "2"
    said = running.scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
    assert said == []

    refresh = {"strategy": "Rolling", "preferences": {"minHealthyPercentage": 50, "instanceWarmup": "600"}}
    asked = {**new, "instanceRefresh": refresh}
    outputs = Group().update(name, outputs, new, asked, CALL)
    assert running.scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"] == []
    again = {**asked, "launchTemplate": {"id": running.template, "version": "1"}}
    outputs = Group().update(name, outputs, asked, again, CALL)
    Group().update(name, outputs, again, asked, CALL)
    found = running.scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
    assert [one["Status"] for one in found][1:] == ["Cancelled"]
    assert found[0]["Status"] in {"Pending", "InProgress"}
    assert found[0]["Preferences"]["InstanceWarmup"] == 600


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("0", 0), ("2.5s", 2.5), ("10", None), ("", None)],
)
def test_durations_are_those_of_go(duration: str, seconds: float | None) -> None:
    assert capacity.seconds(duration) == seconds


def test_inputs_that_contradict_themselves_are_refused() -> None:
    inputs = {"minSize": 1, "maxSize": 1, "launchTemplate": {}, "waitForCapacityTimeout": "soon"}
    _, failures = Group().check({}, {"region": settings.REGION, **inputs}, CALL)
    assert {one.name for one in failures.found} == {"launchTemplate", "waitForCapacityTimeout"}


def test_a_target_group_has_its_health_checks(running: Account) -> None:
    vpc = running.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    checks = {"path": "/healthz", "interval": 5, "timeout": 2, "matcher": "200-299", "healthyThreshold": 2}
    inputs = checked(
        TargetGroup(), port=80, protocol="HTTP", vpcId=vpc, healthCheck=checks, tags={"Role": "web"}
    )
    arn, outputs = TargetGroup().create(inputs, CALL)
    assert outputs["arnSuffix"].startswith("targetgroup/web-")

    def described() -> dict[str, Any]:
        found = running.balancing.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        return dict(found)

    assert (described()["HealthCheckPath"], described()["Matcher"]["HttpCode"]) == ("/healthz", "200-299")
    new = {**inputs, "healthCheck": {**checks, "path": "/ready"}, "tags": {"Role": "api"}}
    outputs = TargetGroup().update(arn, outputs, inputs, new, CALL)
    assert described()["HealthCheckPath"] == "/ready"
    [tags] = running.balancing.describe_tags(ResourceArns=[arn])["TagDescriptions"]
    assert tags["Tags"] == [{"Key": "Role", "Value": "api"}]
    TargetGroup().delete(arn, outputs, CALL)
    assert TargetGroup().read(arn, outputs) is None
    TargetGroup().delete(arn, outputs, CALL)


def test_an_update_sends_what_changed_and_leaves_the_version_to_whoever_moved_it(running: Account) -> None:
    inputs = group(running, waitForCapacityTimeout="0")
    name, outputs = Group().create(inputs, CALL)
    running.version()
    moved = {"LaunchTemplateId": running.template, "Version": "2"}
    running.scaling.update_auto_scaling_group(
        AutoScalingGroupName=name, LaunchTemplate=moved, DesiredCapacity=3
    )

    outputs = Group().update(name, outputs, inputs, {**inputs, "maxSize": 5}, CALL)
    [found] = running.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert (found["MaxSize"], found["DesiredCapacity"], found["LaunchTemplate"]["Version"]) == (5, 3, "2")
    assert outputs["launchTemplate"]["version"] == "2"


def test_an_update_of_tags_alone_does_not_touch_the_group(running: Account) -> None:
    inputs = group(running, waitForCapacityTimeout="0")
    name, outputs = Group().create(inputs, CALL)
    httpx.delete(f"{running.ec2.meta.endpoint_url}/lab-api/calls").raise_for_status()
    tags = [{"key": "Role", "value": "web", "propagateAtLaunch": False}]
    Group().update(name, outputs, inputs, {**inputs, "tags": tags}, CALL)
    called = {one["action"] for one in httpx.get(f"{running.ec2.meta.endpoint_url}/lab-api/calls").json()}
    assert "CreateOrUpdateTags" in called
    assert "UpdateAutoScalingGroup" not in called


def test_with_a_health_check_type_its_grace_period_goes_along(running: Account) -> None:
    inputs = group(running, waitForCapacityTimeout="0")
    name, outputs = Group().create(inputs, CALL)
    running.scaling.update_auto_scaling_group(AutoScalingGroupName=name, HealthCheckGracePeriod=7)
    Group().update(name, outputs, inputs, {**inputs, "healthCheckType": "ELB"}, CALL)
    [found] = running.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert (found["HealthCheckType"], found["HealthCheckGracePeriod"]) == ("ELB", 300)


@pytest.mark.parametrize("refreshed", [False, True])
def test_a_version_whose_changes_are_ignored_is_neither_a_difference_nor_sent(
    running: Account, *, refreshed: bool
) -> None:
    """As an engine asks: its state has the version of the creation, or after a refresh the one of now."""
    inputs = group(running, waitForCapacityTimeout="0")
    name, outputs = Group().create(inputs, CALL)
    running.version()
    moved = {"LaunchTemplateId": running.template, "Version": "2"}
    running.scaling.update_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate=moved)
    state = Group().read(name, outputs) if refreshed else outputs
    assert state is not None
    plugin = Servicer(Plugin(version="1", resources=[Group()]))

    def ask(message: Any, **new: Any) -> Any:
        return message(
            id=name, urn=CALL.urn, olds=wire.encode(state), old_inputs=wire.encode(inputs),
            news=wire.encode({**inputs, **new}), ignoreChanges=["launchTemplate"],
        )  # fmt: skip

    newer = {"id": running.template, "version": "3"}
    none = plugin.Diff(ask(provider_pb2.DiffRequest, launchTemplate=newer), cast("Any", None))
    assert list(none.diffs) == []
    some = plugin.Diff(ask(provider_pb2.DiffRequest, launchTemplate=newer, maxSize=5), cast("Any", None))
    assert list(some.diffs) == ["maxSize"]
    answer = plugin.Update(
        ask(provider_pb2.UpdateRequest, launchTemplate=newer, maxSize=5), cast("Any", None)
    )
    assert wire.decode(answer.properties)[0]["launchTemplate"]["version"] == "2"
    [found] = running.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert (found["MaxSize"], found["LaunchTemplate"]["Version"]) == (5, "2")
    said = running.scaling.describe_instance_refreshes(AutoScalingGroupName=name)["InstanceRefreshes"]
    assert said == []
