"""What a roll-out does next, for each thing that AWS can say."""

from datetime import timedelta
from typing import Any

import pytest

from pipeline.rollout.decide import Next, decide
from pipeline.scaling import Group, Member, Refresh, Version
from tests.unit.pipeline.making import NOON

TEMPLATE = "lt-1"
OLD, NEW, OTHER = (Version(template=TEMPLATE, number=number) for number in ("1", "2", "3"))
AFTER, BEFORE = NOON + timedelta(minutes=1), NOON - timedelta(minutes=1)


def group(*machines: Version, version: Version | None = OLD, lifecycle: str = "InService") -> Group:
    members = [
        Member(id=f"i-{number}", version=one, lifecycle=lifecycle, health="Healthy")
        for number, one in enumerate(machines or (OLD, OLD))
    ]
    return Group(name="web-prod", version=version, least=2, most=4, desired=2, members=members)


def refresh(status: str, version: Version | None = NEW, **more: Any) -> Refresh:
    given = {"id": "r", "reason": "", "percent": 0, "left": 0, "started": AFTER, "ended": None, **more}
    return Refresh(status=status, version=version, **given)


@pytest.mark.parametrize(
    ("found", "refreshes", "wanted"),
    [
        (group(), [], Next.START),
        (group(), [refresh("InProgress")], Next.JOIN),
        (group(), [refresh("Baking", started=BEFORE)], Next.JOIN),
        (group(), [refresh("RollbackInProgress")], Next.JOIN),
        (group(), [refresh("Cancelling")], Next.JOIN),
        (group(), [refresh("InProgress", None)], Next.FOREIGN),
        (group(), [refresh("InProgress", Version(template="lt-2", number="2"))], Next.FOREIGN),
        (group(), [refresh("InProgress", Version(template=TEMPLATE, number="$Latest"))], Next.FOREIGN),
        (group(), [refresh("InProgress", OTHER)], Next.UNDO),
        (group(), [refresh("RollbackInProgress", OTHER)], Next.WAIT),
        (group(), [refresh("InProgress", OLD)], Next.WAIT),
        (group(), [refresh("RollbackSuccessful")], Next.FAILED),
        (group(), [refresh("Cancelled")], Next.FAILED),
        (group(), [refresh("Failed")], Next.FAILED),
        (group(), [refresh("RollbackFailed")], Next.FAILED),
        (group(), [refresh("RollbackSuccessful", started=BEFORE)], Next.START),
        (group(), [refresh("Successful")], Next.START),
        (group(), [refresh("Failed", OTHER)], Next.START),
        (group(NEW, NEW, version=NEW), [refresh("Successful")], Next.SETTLE),
        (group(NEW, NEW, version=NEW), [], Next.SETTLE),
        (group(NEW, OLD, version=NEW), [], Next.START),
        (group(), [refresh("Successful", OLD), refresh("Failed")], Next.FAILED),
    ],
)
def test_one_thing_to_do(found: Group, refreshes: list[Refresh], wanted: Next) -> None:
    assert decide(found, refreshes, NEW, NOON).next is wanted


def test_machines_on_their_way_out_do_not_count() -> None:
    leaving = group(OLD, version=NEW, lifecycle="Terminating:Wait").members
    found = group(NEW, NEW, version=NEW)
    mixed = Group(**{**vars(found), "members": [*found.members, *leaving]})
    assert decide(mixed, [], NEW, NOON).next is Next.SETTLE


def test_a_refresh_of_the_second_in_which_the_channel_moved_is_not_from_before() -> None:
    """AWS answers a refresh's start in whole seconds, and a parameter's time in milliseconds."""
    moved = NOON + timedelta(milliseconds=453)
    assert decide(group(), [refresh("Failed", started=NOON)], NEW, moved).next is Next.FAILED
