"""Alarms made of alarms, which a refresh may name as it names others; moto can list them and not make them."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from moto.cloudwatch.responses import CloudWatchResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.core.responses import ActionResult

LISTS = {"MetricAlarm": "MetricAlarms", "CompositeAlarm": "CompositeAlarms"}
"""AlarmTypes of DescribeAlarms, and where such alarms stand in its answer."""


def fill() -> None:
    """Fill the gaps, for this process; a second time does nothing."""
    if hasattr(CloudWatchResponse, "put_composite_alarm"):
        return
    # The state of such an alarm is what SetAlarmState says: the lab does not evaluate its rule, nor any metric.
    CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm  # type: ignore[attr-defined]
    described = CloudWatchResponse.describe_alarms
    CloudWatchResponse.describe_alarms = _of_the_types(described)  # type: ignore[method-assign]


def _of_the_types(call: Callable[[CloudWatchResponse], ActionResult]) -> Callable[..., ActionResult]:
    """Those of all types only where they are asked for (API reference, DescribeAlarms, AlarmTypes)."""

    @wraps(call)
    def of_the_types(self: CloudWatchResponse) -> ActionResult:
        answer = call(self)
        asked = self._get_param("AlarmTypes") or ["MetricAlarm"]
        found = cast("dict[str, Any]", answer.result)
        for kind, name in LISTS.items():
            if kind not in asked:
                found[name] = []
        return answer

    return of_the_types
