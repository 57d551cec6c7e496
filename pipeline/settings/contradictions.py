"""What the keys of a fleet say together, and the limits of AWS that one key alone does not show.

No pair of minHealthyPercent and maxHealthyPercent within these limits stops a refresh: where both cannot be kept, a
refresh whose maxHealthyPercent is given "launches a new instance before terminating an old one (temporarily exceeding
the desired capacity)" (API reference, RefreshPreferences). No source lets maxSize limit that: both percentages are of
the desired capacity, and with 120 percent a group of 100 "might have ... as many as 120" instances (user guide,
"Instance maintenance policy for Auto Scaling group", example scenarios).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.settings.refusals import key_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.errors import PipelineError
    from pipeline.settings.group import GroupKeys, RefreshKeys
    from pipeline.settings.schema import Fleet

FLEET = "golden-image:fleet"
GROUP = f"{FLEET}.group"
REFRESH = f"{GROUP}.refresh"

USER_DATA_BYTES = 16_384
"""EC2: "User data is limited to 16 KB, in raw form, before it is base64-encoded" (user guide, user data)."""
SPREAD_PERCENT = 100
"""API reference, RefreshPreferences: "the difference between them cannot be greater than 100"."""
MOST_ALARMS = 10
"""API reference, AlarmSpecification: "You can specify up to 10 CloudWatch alarms"."""
WHOLE_PERCENT = 100
REGION_PART = 3
"""Place of the region in an ARN's parts."""


class _Wrong(NamedTuple):
    """A key, what is wrong with it, its value, and what is allowed."""

    key: str
    problem: str
    seen: Any
    allowed: str


def refuse(fleet: Fleet, region: str, file: str) -> None:
    """Refuse a fleet whose keys contradict each other.

    Args:
        fleet: The fleet's keys.
        region: The stack's region.
        file: The stack file, for the error.

    Raises:
        PipelineError: The first contradiction.
    """
    found = next(_wrong(fleet, region), None)
    if found is not None:
        raise _error(found, file)


def _error(found: _Wrong, file: str) -> PipelineError:
    return key_error(found.key, found.problem, file, seen=found.seen, allowed=found.allowed)


def _wrong(fleet: Fleet, region: str) -> Iterator[_Wrong]:
    size = len((fleet.user_data or "").encode())
    if size > USER_DATA_BYTES:
        yield _Wrong(
            f"{FLEET}.userData",
            "is longer than EC2 takes",
            f"{size:,} bytes",
            f"at most {USER_DATA_BYTES:,} bytes; a longer script belongs into the image (packer/roles/)",
        )
    if fleet.group is not None:
        yield from _of_sizes(fleet.group)
        yield from _of_places(fleet.group, region)
        yield from _of_refresh(fleet.group.refresh)
        yield from _of_time(fleet.group)


def _of_sizes(group: GroupKeys) -> Iterator[_Wrong]:
    least, most, desired = group.min_size, group.max_size, group.desired_capacity
    if least > most:
        yield _Wrong(
            f"{GROUP}.minSize",
            "is larger than the largest size",
            least,
            f"at most {GROUP}.maxSize, which is {most}",
        )
    if desired is not None and not least <= desired <= most:
        yield _Wrong(
            f"{GROUP}.desiredCapacity",
            "is outside the group's sizes",
            desired,
            f"a whole number from {GROUP}.minSize, which is {least}, to maxSize, which is {most}; or without this key, "
            "if scaling policies set it",
        )


def _of_places(group: GroupKeys, region: str) -> Iterator[_Wrong]:
    if not group.subnet_ids:
        yield _Wrong(f"{GROUP}.subnetIds", "is empty", [], "one subnet or more, where machines are launched")
    for arn in group.target_group_arns:
        if arn.split(":")[REGION_PART] != region:
            yield _Wrong(
                f"{GROUP}.targetGroupArns",
                "has a target group of another region",
                arn,
                f"target groups in aws:region, which is {region}",
            )


def _of_refresh(refresh: RefreshKeys) -> Iterator[_Wrong]:
    least, most = refresh.min_healthy_percent, refresh.max_healthy_percent
    if most - least > SPREAD_PERCENT:
        yield _Wrong(
            f"{REFRESH}.maxHealthyPercent",
            f"is more than {SPREAD_PERCENT} above minHealthyPercent",
            most,
            f"at most {least + SPREAD_PERCENT}: {REFRESH}.minHealthyPercent is {least}",
        )
    marks = refresh.checkpoint_percents
    if list(marks) != sorted(set(marks)):
        yield _Wrong(
            f"{REFRESH}.checkpointPercents",
            "does not ascend",
            list(marks),
            "each number once, in ascending order",
        )
    elif marks and marks[-1] != WHOLE_PERCENT:
        yield _Wrong(
            f"{REFRESH}.checkpointPercents",
            "ends before all machines are replaced",
            list(marks),
            f"a list whose last number is {WHOLE_PERCENT}",
        )
    if len(refresh.alarms) > MOST_ALARMS:
        yield _Wrong(
            f"{REFRESH}.alarms",
            "has more alarms than a refresh takes",
            f"{len(refresh.alarms)} alarms",
            f"at most {MOST_ALARMS}; a composite alarm combines several",
        )


def _of_time(group: GroupKeys) -> Iterator[_Wrong]:
    """A roll-out waits by itself: after each checkpoint but the last, in one warm-up at least, and while it bakes."""
    refresh = group.refresh
    if refresh.bake_minutes >= refresh.timeout_minutes:
        yield _Wrong(
            f"{REFRESH}.bakeMinutes",
            "leaves no time for anything else before the deadline",
            refresh.bake_minutes,
            f"less than {REFRESH}.timeoutMinutes, which is {refresh.timeout_minutes}",
        )
    pauses = max(0, len(refresh.checkpoint_percents) - 1)
    if refresh.warmup_seconds is None:
        seconds, whose = (
            group.health_check_grace_seconds,
            f"healthCheckGraceSeconds {group.health_check_grace_seconds}",
        )
    else:
        seconds, whose = refresh.warmup_seconds, f"warmupSeconds {refresh.warmup_seconds}"
    waits = seconds / 60 + pauses * refresh.checkpoint_minutes + refresh.bake_minutes
    if waits >= refresh.timeout_minutes:
        parts = [f"checkpointMinutes {refresh.checkpoint_minutes} after each of {pauses}"] if pauses else []
        parts += [f"bakeMinutes {refresh.bake_minutes}"] if refresh.bake_minutes else []
        yield _Wrong(
            f"{REFRESH}.timeoutMinutes",
            "is not longer than what a roll-out waits by itself",
            refresh.timeout_minutes,
            f"more than {waits:g}: {', '.join([*parts, f'a warm-up of {whose}'])}",
        )
