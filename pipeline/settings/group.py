"""The keys of a group of machines, and of how its instance refreshes replace them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from pipeline.settings.keys import Keys
from pipeline.settings.kinds import ALARM, SUBNET_ID, TARGET_GROUP_ARN, Whole, list_of

LONGEST_MINUTES = 2880
"""The longest bake time and checkpoint delay that Auto Scaling takes: 172,800 s (API reference, RefreshPreferences)."""

PERCENT = Whole(1, 100)


class RefreshKeys(Keys):
    """How a roll-out replaces the machines of a group."""

    min_healthy_percent: Annotated[int, Whole(0, 100)] = 100
    """The least part of the desired capacity that stays healthy meanwhile."""

    max_healthy_percent: Annotated[int, Whole(100, 200)] = 110
    """The largest part of the desired capacity that there may be meanwhile: over 100, new machines start first."""

    warmup_seconds: Annotated[int, Whole(0, 21_600)] | None = None
    """Seconds that a new machine has to be healthy before it counts. Default: the group's grace period."""

    checkpoint_percents: Annotated[
        tuple[Annotated[int, PERCENT], ...], Field(strict=False), list_of(PERCENT)
    ] = ()
    """Parts of the machines after which the roll-out waits, ascending, such as [20, 50, 100]."""

    checkpoint_minutes: Annotated[int, Whole(0, LONGEST_MINUTES)] = 60
    """Minutes that it waits after each."""

    bake_minutes: Annotated[int, Whole(0, LONGEST_MINUTES)] = 0
    """Minutes for which all new machines have to stay well before the roll-out is done."""

    alarms: Annotated[tuple[Annotated[str, ALARM], ...], Field(strict=False), list_of(ALARM)] = ()
    """Names of CloudWatch alarms, at most 10: when one of them fires, the roll-out fails."""

    timeout_minutes: Annotated[int, Whole(5, 10_080)] = 120
    """Minutes that it may take in all; then it is rolled back."""


class GroupKeys(Keys):
    """An Auto Scaling group of the stage's machines."""

    min_size: Annotated[int, Whole(0, 10_000)]
    """The least number of machines."""

    max_size: Annotated[int, Whole(1, 10_000)]
    """The largest number of machines."""

    desired_capacity: Annotated[int, Whole(0, 10_000)] | None = None
    """How many machines there are. Default: minSize at first, then what scaling policies say."""

    subnet_ids: Annotated[tuple[Annotated[str, SUBNET_ID], ...], Field(strict=False), list_of(SUBNET_ID)]
    """Where they are launched."""

    target_group_arns: Annotated[
        tuple[Annotated[str, TARGET_GROUP_ARN], ...], Field(strict=False), list_of(TARGET_GROUP_ARN)
    ] = ()
    """Target groups of load balancers, whose health checks decide whether a machine is healthy. Default: none."""

    health_check_grace_seconds: Annotated[int, Whole(0, 86_400)] = 300
    """Seconds after a launch in which a failed health check does not count."""

    refresh: RefreshKeys = Field(default_factory=RefreshKeys)
    """How a roll-out replaces the machines."""


def preferences(refresh: RefreshKeys) -> dict[str, Any]:
    """A roll-out's settings in the words of the API (RefreshPreferences).

    Machines that have the version already are left alone: so a roll-out that was interrupted goes on, instead of
    replacing them once more.
    """
    found: dict[str, Any] = {
        "MinHealthyPercentage": refresh.min_healthy_percent,
        "MaxHealthyPercentage": refresh.max_healthy_percent,
        "AutoRollback": True,
        "SkipMatching": True,
    }
    if refresh.warmup_seconds is not None:
        found["InstanceWarmup"] = refresh.warmup_seconds
    if refresh.checkpoint_percents:
        found["CheckpointPercentages"] = list(refresh.checkpoint_percents)
        found["CheckpointDelay"] = refresh.checkpoint_minutes * 60
    if refresh.bake_minutes:
        found["BakeTime"] = refresh.bake_minutes * 60
    if refresh.alarms:
        found["AlarmSpecification"] = {"Alarms": list(refresh.alarms)}
    return found
