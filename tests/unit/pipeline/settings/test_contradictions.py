"""Keys of a fleet that contradict each other, or pass a limit of AWS: one error each, with value, key and file."""

from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.settings import load
from tests.unit.pipeline.settings.test_load import PROD, config

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
R = "group.refresh"
GROUP = {"minSize": 2, "maxSize": 6, "subnetIds": ["subnet-0123456789abcdef0"]}


def parse(fleet: dict[str, Any]) -> load.Settings:
    return load.parse(config(PROD | {"fleet": fleet}), stack="prod")


def group(**keys: Any) -> dict[str, Any]:
    return {"group": GROUP | keys}


def refresh(grace: int = 0, **keys: Any) -> dict[str, Any]:
    return group(healthCheckGraceSeconds=grace, refresh=keys)


@pytest.mark.parametrize(
    ("fleet", "key", "seen", "allowed"),
    [
        (group(minSize=7), "group.minSize", "7", "at most golden-image:fleet.group.maxSize, which is 6"),
        (group(desiredCapacity=1), "group.desiredCapacity", "1", "minSize, which is 2, to maxSize, which is 6"),
        (group(desiredCapacity=7), "group.desiredCapacity", "7", "if scaling policies set it"),
        (group(subnetIds=[]), "group.subnetIds", "[]", "one subnet or more"),
        (
            group(targetGroupArns=[ARN, ARN.replace("eu-west-1", "us-east-1")]),
            "group.targetGroupArns", "us-east-1", "aws:region, which is eu-west-1",
        ),
        (
            refresh(minHealthyPercent=50, maxHealthyPercent=151),
            f"{R}.maxHealthyPercent", "151", "at most 150: golden-image:fleet.group.refresh.minHealthyPercent",
        ),
        (refresh(minHealthyPercent=0), f"{R}.maxHealthyPercent", "110", "at most 100"),
        (refresh(checkpointPercents=[50, 20, 100]), f"{R}.checkpointPercents", "[50, 20, 100]", "ascending order"),
        (refresh(checkpointPercents=[50, 50, 100]), f"{R}.checkpointPercents", "[50, 50, 100]", "each number once"),
        (refresh(checkpointPercents=[20, 50]), f"{R}.checkpointPercents", "[20, 50]", "whose last number is 100"),
        (refresh(alarms=[f"a{one}" for one in range(11)]), f"{R}.alarms", "11 alarms", "at most 10"),
        (refresh(bakeMinutes=120), f"{R}.bakeMinutes", "120", "timeoutMinutes, which is 120"),
        (
            refresh(checkpointPercents=[20, 50, 100]),
            f"{R}.timeoutMinutes", "120", "more than 120: checkpointMinutes 60 after each of 2, a warm-up of",
        ),
        (refresh(300, bakeMinutes=115), f"{R}.timeoutMinutes", "120", "bakeMinutes 115, a warm-up of healthCheck"),
        (refresh(warmupSeconds=7200), f"{R}.timeoutMinutes", "120", "a warm-up of warmupSeconds 7200"),
        ({"userData": "é" * 8193}, "userData", "16,386 bytes", "at most 16,384 bytes"),
    ],
)  # fmt: skip
def test_refused(fleet: dict[str, Any], key: str, seen: str, allowed: str) -> None:
    with pytest.raises(PipelineError) as caught:
        parse(fleet)
    error = caught.value
    assert error.what.startswith(f"golden-image:fleet.{key} ")
    assert seen in (error.seen or "")
    assert allowed in (error.allowed or "")
    assert error.change == f"golden-image:fleet.{key} in Pulumi.prod.yaml"


@pytest.mark.parametrize(
    "fleet",
    [
        group(),
        group(minSize=6, desiredCapacity=6),
        group(minSize=0, desiredCapacity=0),
        group(targetGroupArns=[ARN]),
        # AWS launches before it ends a machine where both bounds cannot be kept (RefreshPreferences): not impossible.
        refresh(minHealthyPercent=100, maxHealthyPercent=100),
        refresh(minHealthyPercent=0, maxHealthyPercent=100),
        refresh(minHealthyPercent=100, maxHealthyPercent=200),
        refresh(checkpointPercents=[100]),
        refresh(checkpointPercents=[20, 50, 100], checkpointMinutes=59),
        refresh(alarms=[f"a{one}" for one in range(10)]),
        refresh(bakeMinutes=119),
        {"userData": "x" * 16_384},
    ],
)
def test_taken(fleet: dict[str, Any]) -> None:
    assert parse(fleet).fleet


def test_no_bounds_of_health_stand_still_in_the_lab() -> None:
    """What the module's text quotes, with the lab's rule: something can always be launched or ended."""
    for least in range(0, 101, 5):
        for most in range(100, 201, 5):
            for desired in range(1, 8):
                assert progress(desired, least, most)


def progress(desired: int, least: int, most: int) -> bool:
    from types import SimpleNamespace

    from lab.autoscaling import rolling

    said = SimpleNamespace(preferences=SimpleNamespace(least=least, most=most))
    low, high = rolling._bounds(said, SimpleNamespace(desired=desired))  # type: ignore[arg-type]
    return low < desired or high > desired
