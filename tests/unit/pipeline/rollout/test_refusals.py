"""A preview refuses what a roll-out could not do; each error names the stack file, the key and a way out."""

import pytest

from pipeline.errors import PipelineError
from pipeline.rollout import refusals
from pipeline.rollout.outlook import Outlook
from tests.unit.pipeline.rollout.making import ARN, SUBNET, group, keys, outlook, refresh, version

OLD, NEW = version(1), version(2)
FIRING = keys(refresh={"alarms": ["errors", "latency"]})


@pytest.mark.parametrize(
    ("seen", "what", "value", "change"),
    [
        (outlook(None, missing_subnets=[SUBNET]), "names a subnet that does not", SUBNET, "fleet.group.subnetIds in"),
        (
            outlook(group(OLD), missing_target_groups=[ARN]),
            "names a target group that does not", ARN, "fleet.group.targetGroupArns in",
        ),
        (
            outlook(group(OLD), said=FIRING, alarms={"errors": "OK"}),
            "names a CloudWatch alarm that does not", "latency", "fleet.group.refresh.alarms in",
        ),
        (outlook(group(version("$Latest"))), "changed by hand", "version $Latest of lt-0123", "Version=N"),
        (outlook(group(version("$Default"))), "changed by hand", "version $Default of lt-0123", "Version=N"),
        (outlook(group(version(1, "lt-9"))), "changed by hand", "version 1 of lt-9", "LaunchTemplateId=lt-0123"),
        (outlook(group(None)), "changed by hand", "no launch template", "without golden-image:fleet.group in"),
        (outlook(group(OLD), templates=[]), "changed by hand", "version 1", "Role=web, ImageChannel=prod"),
        (
            outlook(group(OLD), refresh("InProgress", None)),
            "stack prod did not start", "r-1: InProgress, 33 %, brings no version", "cancel-instance-refresh",
        ),
        (
            outlook(group(OLD), refresh("Baking", version(3, "lt-9"))),
            "stack prod did not start", "brings version 3 of lt-9", "wait for its end",
        ),
        (
            outlook(group(OLD), refresh("RollbackInProgress", version("$Latest"))),
            "stack prod did not start", "brings version $Latest", "golden-image:fleet.group in",
        ),
    ],
)  # fmt: skip
def test_refused(seen: Outlook, what: str, value: str, change: str) -> None:
    error = refusals.of_group(seen)
    assert error is not None
    assert what in error.what
    assert value in (error.seen or "")
    assert error.allowed
    assert change in (error.change or "")
    assert "Pulumi.prod.yaml" in (error.change or "")


@pytest.mark.parametrize(
    "seen",
    [
        outlook(None),
        outlook(None, templates=[]),
        outlook(group(OLD)),
        outlook(group(OLD), refresh("InProgress", NEW)),
        outlook(group(OLD), refresh("RollbackInProgress", version(3))),
        outlook(
            group(OLD),
            refresh("Successful", None, minutes=3),
            refresh("Failed", version(1, "lt-9"), minutes=3),
        ),
        outlook(group(OLD), said=FIRING, alarms={"errors": "ALARM", "latency": "INSUFFICIENT_DATA"}),
    ],
)
def test_not_refused(seen: Outlook) -> None:
    assert refusals.of_group(seen) is None


def firing(*found: object, number: int | None, **alarms: str) -> PipelineError | None:
    states = {"errors": "OK", "latency": "ALARM", **alarms}
    seen, *refreshes = found
    return refusals.of_alarms(outlook(seen, *refreshes, said=FIRING, alarms=states), number)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [None, 2])
def test_no_roll_out_starts_while_an_alarm_is_firing(number: int | None) -> None:
    error = firing(group(OLD), number=number)
    assert error is not None
    assert (error.seen, "in state ALARM already" in error.what) == ("latency", True)
    assert "golden-image:fleet.group.refresh.alarms in Pulumi.prod.yaml" in (error.change or "")
    assert firing(group(OLD), number=number, latency="OK") is None


def test_an_alarm_does_not_keep_back_what_has_begun() -> None:
    """Or the return from an image that sets the alarm off could never be finished."""
    assert firing(group(OLD), refresh("InProgress", NEW), number=2) is None
    assert firing(group(OLD), refresh("RollbackInProgress", NEW), number=2) is None
    assert firing(group(OLD), refresh("RollbackSuccessful", NEW, minutes=5), number=2) is None
    assert firing(group(NEW), refresh("Successful", NEW, minutes=5), number=2) is None
    assert firing(group(NEW), number=2) is None
    assert firing(None, number=None) is None
    # A refresh of an earlier promotion says nothing.
    assert firing(group(OLD), refresh("RollbackSuccessful", NEW, minute=-9, minutes=5), number=2) is not None


def test_a_channel_that_nothing_was_written_to() -> None:
    seen = outlook(group(OLD), said=FIRING, alarms={"latency": "ALARM"}, since=None)
    assert refusals.of_alarms(seen, 1) is None
    assert refusals.of_alarms(seen, 2) is not None
