"""A group of the paper lab, whose time goes on only when it is told to."""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
import pytest

from lab import settings
from lab.autoscaling import probes
from tests.unit.lab.paper import source

GROUP = "web"


@dataclass
class Account:
    """What a test sees of the lab."""

    ec2: Any
    scaling: Any
    balancing: Any
    watch: Any
    template: str
    answers: dict[str, probes.Result] = field(default_factory=dict)
    """What a probe hears, by address; an address that is not there answers as it should."""

    def advance(self, seconds: float) -> None:
        """Let time go on; returns when all that was due by then has been done."""
        self._time(advance=seconds)

    def _time(self, **body: float) -> None:
        httpx.put(f"{self.ec2.meta.endpoint_url}/lab-api/time", json=body, timeout=120).raise_for_status()

    def version(self, data: bytes = b"v2") -> str:
        """A new version of the launch template, by its user data."""
        made = self.ec2.create_launch_template_version(
            LaunchTemplateId=self.template, LaunchTemplateData=template_data(self.ec2, data)
        )
        return str(made["LaunchTemplateVersion"]["VersionNumber"])

    def create(self, size: int = 2, **settings_of_group: Any) -> None:
        self.scaling.create_auto_scaling_group(**{
            "AutoScalingGroupName": GROUP,
            "LaunchTemplate": {"LaunchTemplateId": self.template, "Version": "1"},
            "MinSize": 0,
            "MaxSize": 10,
            "DesiredCapacity": size,
            "VPCZoneIdentifier": settings.SUBNET_ID,
            **settings_of_group,
        })  # fmt: skip
        self.advance(0)

    def group(self) -> dict[str, Any]:
        [found] = self.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])[
            "AutoScalingGroups"
        ]
        return dict(found)

    def members(self) -> dict[str, str]:
        """Id to launch template version, of those that are in service."""
        return {
            one["InstanceId"]: one["LaunchTemplate"]["Version"]
            for one in self.group()["Instances"]
            if one["LifecycleState"] == "InService"
        }

    def address(self, instance_id: str) -> str:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])

    def start(self, version: str | None = "2", **preferences: Any) -> str:
        desired = {"LaunchTemplate": {"LaunchTemplateId": self.template, "Version": version}}
        asked = {"DesiredConfiguration": desired} if version else {}
        answer = self.scaling.start_instance_refresh(
            AutoScalingGroupName=GROUP, Preferences=preferences, **asked
        )
        return str(answer["InstanceRefreshId"])

    def refresh(self) -> dict[str, Any]:
        """The newest one."""
        found = self.scaling.describe_instance_refreshes(AutoScalingGroupName=GROUP)["InstanceRefreshes"]
        return dict(found[0])

    def alarm(self, name: str, state: str) -> None:
        self.watch.put_metric_alarm(
            AlarmName=name, ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1, MetricName="5xx",
            Namespace="web", Period=60, Statistic="Sum", Threshold=1,
        )  # fmt: skip
        self.watch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test says so")

    def target_group(self, **settings_of_checks: Any) -> str:
        """One that a load balancer uses."""
        vpc = self.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        checks = {"HealthCheckIntervalSeconds": 10, "HealthCheckTimeoutSeconds": 5, **settings_of_checks}
        made = self.balancing.create_target_group(
            Name="web", Protocol="HTTP", Port=80, VpcId=vpc, HealthCheckPath="/healthz", **checks
        )
        return str(made["TargetGroups"][0]["TargetGroupArn"])

    def use(self, target_group: str) -> None:
        """Let a load balancer send to it."""
        made = self.balancing.create_load_balancer(Name="web", Subnets=[settings.SUBNET_ID])
        self.balancing.create_listener(
            LoadBalancerArn=made["LoadBalancers"][0]["LoadBalancerArn"], Protocol="HTTP", Port=80,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": target_group}],
        )  # fmt: skip

    def health(self, target_group: str) -> list[dict[str, Any]]:
        found = self.balancing.describe_target_health(TargetGroupArn=target_group)["TargetHealthDescriptions"]
        return [one["TargetHealth"] for one in found]


def template_data(ec2: Any, data: bytes) -> dict[str, Any]:
    return {
        "ImageId": source(ec2),
        "InstanceType": "t3.micro",
        "UserData": base64.b64encode(data).decode(),
    }


def account_of(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    """A paper lab's account, with time standing still and probes that hear what the test says."""

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service, endpoint_url=ec2.meta.endpoint_url, region_name=settings.REGION,
            aws_access_key_id="lab", aws_secret_access_key="lab",
        )  # fmt: skip

    made = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=template_data(ec2, b"v1"))
    found = Account(
        ec2, client("autoscaling"), client("elbv2"), client("cloudwatch"),
        made["LaunchTemplate"]["LaunchTemplateId"],
    )  # fmt: skip
    monkeypatch.setattr(probes, "probe", _probe(found))
    found._time(rate=0)
    return found


def _probe(account: Account) -> Callable[[probes.Question], probes.Result]:
    return lambda question: account.answers.get(question.address, probes.Result())
