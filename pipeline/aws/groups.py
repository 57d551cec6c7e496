"""Auto Scaling groups, their instance refreshes, and what target groups say of machines. Decides nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.aws.clients import Service
from pipeline.scaling import Activity, Group, Member, Refresh, TargetHealth, Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SHOWN_REFRESHES = 20
"""How many refreshes are read, the newest first. AWS keeps those of six weeks."""


class Groups(Service):
    """The Auto Scaling groups of one account and region."""

    def find(self, name: str) -> Group | None:
        """The group of that name, or None."""
        with self._session.asking(f"look up the Auto Scaling group {name}"):
            answer = self._scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next((_group(found) for found in answer["AutoScalingGroups"]), None)

    def refreshes(self, name: str) -> list[Refresh]:
        """The refreshes of a group: an active one first, then the newest."""
        with self._session.asking(f"read the instance refreshes of {name}"):
            answer = self._scaling.describe_instance_refreshes(
                AutoScalingGroupName=name, MaxRecords=SHOWN_REFRESHES
            )
        return [_refresh(found) for found in answer["InstanceRefreshes"]]

    def start(self, name: str, version: Version, preferences: Mapping[str, Any]) -> str | None:
        """Start a refresh that brings a version.

        Returns:
            Its ID, or None if another one is in progress: also one that this call has started, whose answer was lost.
        """
        template = {"LaunchTemplateId": version.template, "Version": version.number}
        with self._session.asking(f"start an instance refresh of {name}"):
            scaling = self._scaling
            try:
                answer = scaling.start_instance_refresh(
                    AutoScalingGroupName=name,
                    DesiredConfiguration={"LaunchTemplate": template},
                    Preferences=dict(preferences),
                )
            except scaling.exceptions.InstanceRefreshInProgressFault:
                return None
        return str(answer["InstanceRefreshId"])

    def roll_back(self, name: str) -> bool:
        """Ask AWS to undo the active refresh; whether there was one that it could undo."""
        with self._session.asking(f"roll back the instance refresh of {name}"):
            scaling = self._scaling
            try:
                scaling.rollback_instance_refresh(AutoScalingGroupName=name)
            except (
                scaling.exceptions.ActiveInstanceRefreshNotFoundFault,
                scaling.exceptions.IrreversibleInstanceRefreshFault,
            ):
                return False
        return True

    def cancel(self, name: str) -> bool:
        """End the active refresh where it is; whether there was one."""
        with self._session.asking(f"cancel the instance refresh of {name}"):
            scaling = self._scaling
            try:
                scaling.cancel_instance_refresh(AutoScalingGroupName=name)
            except scaling.exceptions.ActiveInstanceRefreshNotFoundFault:
                return False
        return True

    def activities(self, name: str) -> list[Activity]:
        """What Auto Scaling did for a group last, the newest first."""
        with self._session.asking(f"read the scaling activities of {name}"):
            answer = self._scaling.describe_scaling_activities(AutoScalingGroupName=name, MaxRecords=20)
        return [
            Activity(
                status=found["StatusCode"],
                text=" ".join(filter(None, (found.get("Description"), found.get("StatusMessage")))),
                started=found["StartTime"],
            )
            for found in answer["Activities"]
        ]

    def targets(self, arns: Iterable[str]) -> dict[str, TargetHealth]:
        """Machine to what the target groups say of it: the worst, if several do."""
        worst: dict[str, TargetHealth] = {}
        for arn in arns:
            with self._session.asking(f"read the health of the targets of {arn}"):
                answer = self._session.client("elbv2").describe_target_health(TargetGroupArn=arn)
            for found in answer["TargetHealthDescriptions"]:
                health = _health(found["TargetHealth"])
                before = worst.get(found["Target"]["Id"])
                if before is None or before.state == "healthy":
                    worst[found["Target"]["Id"]] = health
        return worst

    def missing_target_groups(self, arns: Sequence[str]) -> list[str]:
        """Those of some target groups that do not exist."""
        gone = []
        for arn in arns:
            with self._session.asking(f"look up the target group {arn}"):
                balancing = self._session.client("elbv2")
                try:
                    balancing.describe_target_groups(TargetGroupArns=[arn])
                except balancing.exceptions.TargetGroupNotFoundException:
                    gone.append(arn)
        return gone

    def alarms(self, names: Sequence[str]) -> dict[str, str]:
        """Name to state (``OK``, ``ALARM``, ``INSUFFICIENT_DATA``) of those CloudWatch alarms that exist."""
        if not names:
            return {}
        with self._session.asking(f"look up the alarms {', '.join(names)}"):
            answer = self._session.client("cloudwatch").describe_alarms(
                AlarmNames=list(names), AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        return {one["AlarmName"]: one["StateValue"] for one in found}

    @property
    def _scaling(self) -> Any:
        return self._session.client("autoscaling")


def _version(found: Mapping[str, Any] | None) -> Version | None:
    if not found:
        return None
    return Version(
        template=found.get("LaunchTemplateId") or found.get("LaunchTemplateName", ""),
        number=found.get("Version") or "$Default",
    )


def _group(found: Mapping[str, Any]) -> Group:
    return Group(
        name=found["AutoScalingGroupName"],
        version=_version(found.get("LaunchTemplate")),
        least=found["MinSize"],
        most=found["MaxSize"],
        desired=found["DesiredCapacity"],
        members=[
            Member(
                id=one["InstanceId"],
                version=_version(one.get("LaunchTemplate")),
                lifecycle=one["LifecycleState"],
                health=one["HealthStatus"],
            )
            for one in found.get("Instances", ())
        ],
        target_groups=tuple(found.get("TargetGroupARNs", ())),
        health_check=found.get("HealthCheckType") or "EC2",
    )


def _refresh(found: Mapping[str, Any]) -> Refresh:
    """A refresh. StartTime is optional: one that is Pending has none, nor has one that ended before it began."""
    ended = found.get("EndTime")
    return Refresh(
        id=found["InstanceRefreshId"],
        status=found["Status"],
        reason=found.get("StatusReason") or "",
        percent=int(found.get("PercentageComplete") or 0),
        left=int(found.get("InstancesToUpdate") or 0),
        started=found.get("StartTime") or ended or datetime.now(UTC),
        ended=ended,
        version=_version((found.get("DesiredConfiguration") or {}).get("LaunchTemplate")),
        rollback=(found.get("RollbackDetails") or {}).get("RollbackReason") or "",
    )


def _health(found: Mapping[str, Any]) -> TargetHealth:
    words = (found.get("Description"), f"({found['Reason']})" if found.get("Reason") else None)
    return TargetHealth(state=found["State"], reason=" ".join(filter(None, words)))
