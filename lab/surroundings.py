"""What a group needs besides the program, in demo and tests: a load balancer, alarms, and time that goes by."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from lab import environment
from lab import settings as lab_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.settings import LabSettings

WITHIN_SECONDS = 120
"""How long one of the lab's own calls may take: it returns when machines have come and gone."""


LOOK_SECONDS = 1.0
UNWELL_SECONDS = 20.0
"""How long a target has to be unhealthy until the alarm of `watched` fires. CloudWatch looks once a minute; this is
longer than a machine of the lab takes to boot."""


def target_group(lab: LabSettings, path: str = "/health", *, name: str = "web") -> str:
    """Make a load balancer with a listener of HTTP on port 80, and the target group that it forwards to.

    Args:
        lab: A lab that is up.
        path: What the health checks ask for, every five seconds.
        name: Of both.

    Returns:
        The ARN of the target group.
    """
    balancing = _client(lab, "elbv2")
    vpc = _client(lab, "ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
    made = balancing.create_target_group(
        Name=name, Protocol="HTTP", Port=80, VpcId=vpc, HealthCheckPath=path,
        HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2,
    )  # fmt: skip
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    balancer = balancing.create_load_balancer(Name=name, Subnets=[lab_settings.SUBNET_ID])["LoadBalancers"][0]
    balancing.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
    )  # fmt: skip
    return arn


def remove_target_group(lab: LabSettings, arn: str) -> None:
    """Remove what `target_group` has made; no group may use it any more."""
    balancing = _client(lab, "elbv2")
    found = balancing.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    for balancer in found["LoadBalancerArns"]:
        balancing.delete_load_balancer(LoadBalancerArn=balancer)
    balancing.delete_target_group(TargetGroupArn=arn)


def healths(lab: LabSettings, arn: str) -> list[str]:
    """What the health checks say of the targets of a target group, in the order of the alphabet."""
    found = _client(lab, "elbv2").describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    return sorted(one["TargetHealth"]["State"] for one in found)


def alarm(lab: LabSettings, name: str, state: str) -> None:
    """Put a metric alarm, made if it is not there, into a state: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``."""
    watching = _client(lab, "cloudwatch")
    if not watching.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
        watching.put_metric_alarm(
            AlarmName=name, Namespace="AWS/ApplicationELB", MetricName="HTTPCode_Target_5XX_Count",
            Statistic="Sum", Period=60, EvaluationPeriods=1, Threshold=1.0,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )  # fmt: skip
    watching.set_alarm_state(AlarmName=name, StateValue=state, StateReason="somebody wants it so")


@contextmanager
def watched(lab: LabSettings, arn: str, name: str, *, after: float = UNWELL_SECONDS) -> Iterator[None]:
    """Have an alarm that fires while UnHealthyHostCount of a target group is not 0, as long as the block lasts.

    The lab has no metrics: this looks each second at what this one would be made of.

    Args:
        lab: A lab that is up.
        arn: The target group.
        name: The alarm's name.
        after: Seconds for which a target has to be unhealthy until it fires.
    """
    ended = threading.Event()
    alarm(lab, name, "OK")

    def look() -> None:
        unwell_since: float | None = None
        state = "OK"
        while not ended.wait(LOOK_SECONDS):
            if "unhealthy" not in healths(lab, arn):
                unwell_since = None
            elif unwell_since is None:
                unwell_since = time.monotonic()
            fires = unwell_since is not None and time.monotonic() - unwell_since >= after
            if fires != (state == "ALARM"):
                state = "ALARM" if fires else "OK"
                alarm(lab, name, state)

    looking = threading.Thread(target=look, name="alarm", daemon=True)
    looking.start()
    try:
        yield
    finally:
        ended.set()
        looking.join()


def advance(lab: LabSettings, seconds: float) -> None:
    """Let so much time go by at once; what is due by then has been done at the return."""
    of_lab(lab, "time", {"advance": seconds})


def of_lab(lab: LabSettings, name: str, body: Any) -> None:
    """One of the lab's own calls that change something, which are not part of AWS."""
    httpx.put(f"{lab.endpoint}/lab-api/{name}", json=body, timeout=WITHIN_SECONDS).raise_for_status()


def _client(lab: LabSettings, service: str) -> Any:
    return environment.client(lab, service, environment.ONLOOKER)
