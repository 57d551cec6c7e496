"""An instance refresh: order, waits, ends. Sources are named where lab/autoscaling has the rule."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lab.scaling import GROUP, Account

HOUR = 3600


def versions(account: Account) -> list[str]:
    return sorted(account.members().values())


def test_it_replaces_all_and_the_group_takes_the_version_over(pair: Account) -> None:
    before = set(pair.members())
    refresh_id = pair.start(InstanceWarmup=10)
    assert pair.refresh()["Status"] == "Pending"
    for _ in range(4):
        pair.advance(10)
    found = pair.refresh()
    assert found["InstanceRefreshId"] == refresh_id
    assert (found["Status"], found["PercentageComplete"], found["InstancesToUpdate"]) == (
        "Successful",
        100,
        0,
    )
    assert found["EndTime"] > found["StartTime"]
    assert versions(pair) == ["2", "2"]
    assert not before & set(pair.members())
    assert pair.group()["LaunchTemplate"]["Version"] == "2"


def test_a_group_that_is_scaled_in_to_nothing_keeps_no_machine_that_never_gets_ready(pair: Account) -> None:
    pair.start(InstanceWarmup=HOUR)
    pair.advance(0)
    assert "2" in versions(pair)
    pair.scaling.update_auto_scaling_group(
        AutoScalingGroupName=GROUP, MinSize=0, MaxSize=0, DesiredCapacity=0
    )
    for _ in range(3):
        pair.advance(1)
    assert (versions(pair), pair.refresh()["Status"]) == ([], "Successful")


def test_until_it_succeeds_the_group_keeps_its_own_version(pair: Account) -> None:
    pair.start(InstanceWarmup=10, BakeTime=60)
    pair.advance(11)
    assert pair.group()["LaunchTemplate"]["Version"] == "1"
    pair.advance(20)
    assert (pair.refresh()["Status"], pair.group()["LaunchTemplate"]["Version"]) == ("Baking", "1")


def test_without_a_maximum_a_machine_ends_while_its_replacement_starts(pair: Account) -> None:
    pair.start(MinHealthyPercentage=100, InstanceWarmup=30)
    pair.advance(0)
    assert versions(pair) == ["1", "2"]
    found = pair.refresh()
    assert (found["PercentageComplete"], found["InstancesToUpdate"]) == (0, 2)
    assert "is warming up" in found["StatusReason"]
    pair.advance(29)
    assert versions(pair) == ["1", "2"]
    pair.advance(1)
    assert versions(pair) == ["2", "2"]
    assert (pair.refresh()["PercentageComplete"], pair.refresh()["InstancesToUpdate"]) == (50, 1)


def test_with_a_maximum_it_launches_before_it_terminates(pair: Account) -> None:
    pair.start(MinHealthyPercentage=100, MaxHealthyPercentage=150, InstanceWarmup=30)
    pair.advance(0)
    assert versions(pair) == ["1", "1", "2"]
    pair.advance(30)
    assert versions(pair) == ["1", "2", "2"]
    pair.advance(30)
    assert versions(pair) == ["2", "2"]


def test_a_maximum_of_a_hundred_goes_one_above_where_nothing_else_is_possible(pair: Account) -> None:
    pair.start(MinHealthyPercentage=100, MaxHealthyPercentage=100, InstanceWarmup=30)
    pair.advance(0)
    assert versions(pair) == ["1", "1", "2"]


def test_a_minimum_of_zero_replaces_all_at_once(pair: Account) -> None:
    pair.start(MinHealthyPercentage=0, InstanceWarmup=30)
    pair.advance(0)
    assert versions(pair) == ["2", "2"]
    pair.advance(30)
    assert pair.refresh()["Status"] == "Successful"


@pytest.mark.parametrize(
    ("percentages", "at_first"),
    [((200,), ["1", "1", "2", "2"]), ((150,), ["1", "1", "2"])],
)
def test_the_maximum_bounds_how_many_there_are(
    pair: Account, percentages: tuple[int], at_first: list[str]
) -> None:
    pair.start(MinHealthyPercentage=100, MaxHealthyPercentage=percentages[0], InstanceWarmup=30)
    pair.advance(0)
    assert versions(pair) == at_first


def test_a_checkpoint_waits_and_then_it_goes_on(account: Account) -> None:
    account.version()
    account.create(4)
    account.start(
        InstanceWarmup=10, MinHealthyPercentage=50, CheckpointPercentages=[25, 100], CheckpointDelay=600
    )
    account.advance(10)
    account.advance(500)
    assert versions(account) == ["1", "1", "1", "2"]
    assert account.refresh()["PercentageComplete"] == 25
    account.advance(100)
    account.advance(100)
    assert versions(account) == ["2"] * 4
    assert account.refresh()["Status"] == "Successful"


def test_a_last_checkpoint_below_a_hundred_leaves_the_rest(account: Account) -> None:
    account.version()
    account.create(4)
    account.start(InstanceWarmup=0, CheckpointPercentages=[50])
    account.advance(10)
    assert versions(account) == ["1", "1", "2", "2"]
    assert account.refresh()["Status"] == "Successful"


def test_the_delay_at_a_checkpoint_is_an_hour_if_none_is_given(pair: Account) -> None:
    pair.start(InstanceWarmup=0, CheckpointPercentages=[50, 100])
    pair.advance(0)
    pair.advance(HOUR - 1)
    assert versions(pair) == ["1", "2"]
    pair.advance(1)
    assert versions(pair) == ["2", "2"]


def test_skip_matching_leaves_those_that_are_of_the_version(pair: Account) -> None:
    kept = set(pair.members())
    pair.start("1", SkipMatching=True)
    pair.advance(0)
    assert (pair.refresh()["Status"], set(pair.members())) == ("Successful", kept)


def test_a_scale_out_meanwhile_launches_the_desired_version(pair: Account) -> None:
    pair.start(InstanceWarmup=60)
    pair.advance(0)
    pair.scaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=3)
    pair.advance(1)
    assert versions(pair) == ["1", "2", "2"]


def test_only_one_at_a_time(pair: Account) -> None:
    pair.start(InstanceWarmup=60)
    with pytest.raises(ClientError, match=r"\(InstanceRefreshInProgress\)"):
        pair.start(InstanceWarmup=60)


def test_a_cancelled_one_leaves_what_it_has_replaced(pair: Account) -> None:
    pair.start(InstanceWarmup=60)
    pair.advance(0)
    pair.scaling.cancel_instance_refresh(AutoScalingGroupName=GROUP)
    assert pair.refresh()["Status"] == "Cancelling"
    pair.advance(0)
    assert pair.refresh()["Status"] == "Cancelled"
    pair.advance(HOUR)
    assert versions(pair) == ["1", "2"]
    assert pair.group()["LaunchTemplate"]["Version"] == "1"
    with pytest.raises(ClientError, match=r"\(ActiveInstanceRefreshNotFound\)"):
        pair.scaling.cancel_instance_refresh(AutoScalingGroupName=GROUP)


def test_a_rollback_by_hand_returns_what_was_replaced_and_spares_the_rest(account: Account) -> None:
    account.version()
    account.create(4)
    account.start(InstanceWarmup=60)
    account.advance(60)
    original = {one for one, version in account.members().items() if version == "1"}
    assert len(original) == 2
    account.scaling.rollback_instance_refresh(AutoScalingGroupName=GROUP)
    found = account.refresh()
    assert found["Status"] == "RollbackInProgress"
    assert found["RollbackDetails"]["PercentageCompleteOnRollback"] == 25
    assert found["RollbackDetails"]["InstancesToUpdateOnRollback"] == 3
    for _ in range(3):
        account.advance(60)
    found = account.refresh()
    assert (found["Status"], found["PercentageComplete"]) == ("RollbackSuccessful", 0)
    assert versions(account) == ["1"] * 4
    assert original < set(account.members())
    assert account.group()["LaunchTemplate"]["Version"] == "1"


def test_bake_time_is_still_time_to_return(pair: Account) -> None:
    pair.start(InstanceWarmup=0, BakeTime=HOUR)
    pair.advance(5)
    assert pair.refresh()["Status"] == "Baking"
    pair.advance(HOUR - 10)
    assert pair.refresh()["Status"] == "Baking"
    pair.scaling.rollback_instance_refresh(AutoScalingGroupName=GROUP)
    pair.advance(5)
    assert pair.refresh()["Status"] == "RollbackSuccessful"
    assert versions(pair) == ["1", "1"]


def test_bake_time_ends(pair: Account) -> None:
    pair.start(InstanceWarmup=0, BakeTime=100)
    pair.advance(5)
    pair.advance(100)
    assert pair.refresh()["Status"] == "Successful"


@pytest.mark.parametrize("bake", [0, HOUR])
@pytest.mark.parametrize(("end", "left"), [("RollbackSuccessful", ["1", "1"]), ("Failed", None)])
def test_an_alarm_ends_it(pair: Account, bake: int, end: str, left: list[str] | None) -> None:
    pair.alarm("web-5xx", "OK")
    preferences: dict[str, Any] = {
        "AlarmSpecification": {"Alarms": ["web-5xx"]},
        "AutoRollback": end == "RollbackSuccessful",
    }
    pair.start(InstanceWarmup=0 if bake else 60, BakeTime=bake, **preferences)
    pair.advance(30)
    before = versions(pair)
    pair.alarm("web-5xx", "ALARM")
    pair.advance(1)
    pair.advance(60)
    pair.advance(60)
    assert pair.refresh()["Status"] == end
    assert versions(pair) == (left or before)
    assert pair.group()["LaunchTemplate"]["Version"] == "1"
