"""A preview says how many machines a roll-out replaces, and how."""

from datetime import timedelta

import pytest

from lab.autoscaling import rolling
from pipeline.rollout import preview_lines
from pipeline.settings.group import RefreshKeys
from tests.unit.pipeline.making import NOON
from tests.unit.pipeline.rollout.making import group, keys, outlook, refresh, version

OLD, NEW = version(1), version(2)


def said(*found: object, number: int | None = None, **config: object) -> list[str]:
    seen, *refreshes = found
    shown = preview_lines.lines(outlook(seen, *refreshes, said=keys(**config)), number)  # type: ignore[arg-type]
    return [f"{'warning: ' if line.warning else ''}{line.text}" for line in shown]


def test_the_first_creation() -> None:
    assert said(None) == ["group web-prod: 2 machines will be launched"]
    assert said(None, desiredCapacity=4, number=1) == ["group web-prod: 4 machines will be launched"]
    assert said(None, minSize=1) == ["group web-prod: 1 machine will be launched"]


def test_machines_are_replaced() -> None:
    assert said(group(OLD)) == [
        "group web-prod: 3 machines will be replaced, at most 1 at once, at least 3 healthy"
    ]
    assert said(group(OLD), refresh={"minHealthyPercent": 50, "maxHealthyPercent": 150}) == [
        "group web-prod: 3 machines will be replaced, at most 2 at once, at least 2 healthy"
    ]
    assert said(group(OLD), number=2), "an update was interrupted before its roll-out"


def test_how_the_last_one_went() -> None:
    others = refresh("Successful", None, minutes=3)
    (line,) = said(group(OLD), others, refresh("RollbackSuccessful", NEW, minutes=12))
    assert line.endswith("; the last roll-out took 12 minutes (RollbackSuccessful, 2026-01-31)")


def test_one_that_is_under_way() -> None:
    text = "group web-prod: a roll-out to version 2 is under way (r-1: InProgress, 33 %); `pulumi up` waits for its end"
    for number in (None, 2):
        assert said(group(OLD), refresh("InProgress", NEW), number=number)[1] == text
    assert said(group(OLD), refresh("InProgress", NEW), number=1) == [text]


def test_nothing_is_replaced() -> None:
    assert said(group(OLD), number=1) == []
    assert said(group(OLD, desired=0, members=[]), minSize=0) == [
        "group web-prod: 0 machines will be replaced"
    ]


def test_nobody_judges_the_machines() -> None:
    line, warning = said(group(OLD), targetGroupArns=[])
    assert "3 machines" in line
    assert warning.startswith(
        "warning: group web-prod has no target group (golden-image:fleet.group.targetGroupArns in "
    )
    assert "Pulumi.prod.yaml" in warning
    assert len(said(None, targetGroupArns=[])) == 2
    assert said(group(OLD), number=1, targetGroupArns=[]) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7260, "2 hours 1 minute"),
    ],
)
def test_how_long_it_took(seconds: int, text: str) -> None:
    one = refresh("Successful", NEW, minute=0)
    ended = preview_lines.took(type(one)(**{**vars(one), "ended": NOON + timedelta(seconds=seconds)}))
    assert ended == text
    assert preview_lines.took(one) == ""


def test_the_bounds_are_those_of_the_lab() -> None:
    from types import SimpleNamespace as Some

    for least in range(0, 101, 10):
        for most in range(100, 201, 10):
            for desired in range(20):
                found = RefreshKeys.model_validate({"minHealthyPercent": least, "maxHealthyPercent": most})
                fleet = Some(desired=desired)
                lab = rolling._bounds(Some(preferences=Some(least=least, most=most)), fleet)  # type: ignore[arg-type]
                assert preview_lines.bounds(found, desired) == lab


def test_what_a_headline_has_of_a_line() -> None:
    for found, text in (
        (group(OLD), "3 machines will be replaced"),
        (None, "2 machines will be launched"),
    ):
        assert [preview_lines.summary(line) for line in said(found, targetGroupArns=[])] == [text, None]
    assert preview_lines.summary("channel prod: nothing → ami-1") is None
