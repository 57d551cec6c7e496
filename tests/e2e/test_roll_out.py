"""A group of machines moves to the promoted image, and returns with its channel from one that fails them."""

from collections.abc import Iterator

import pytest

from lab import environment, surroundings
from lab.settings import LabSettings
from lab.traffic import traffic
from lab.workbench import Workbench
from tests.e2e import fleet_images
from tests.e2e.conftest import remove_stacks
from tests.e2e.rolling import Rolling, until

ROLE = "rolling"
HOUR = 3600


@pytest.fixture(scope="module")
def stack(bench: Workbench, lab: LabSettings) -> Iterator[Rolling]:
    """A stack that is new, whose machines have v1."""
    images = fleet_images.make(bench, ROLE, ["v1", "v2", "v3", "v4"], bad="v3")
    target_group = surroundings.target_group(lab, name=ROLE)
    stack = Rolling(bench, ROLE, images, target_group, size=3)
    stack.ask_for(images["v1"])
    assert stack.up().status == 0
    assert set(stack.targets().values()) == {"healthy"}, "the first update waits for them"
    assert stack.wrong(images["v1"]) == []
    assert (stack.deployed(images["v1"]) or "").endswith(" creation")
    yield stack
    remove_stacks(bench)
    surroundings.remove_target_group(lab, target_group)


@pytest.fixture(autouse=True)
def _well_again(bench: Workbench) -> Iterator[None]:
    yield
    bench.set_faults()


def test_machines_move_and_return_from_an_image_that_dies_in_the_fleet(
    stack: Rolling, lab: LabSettings
) -> None:
    _, v2, v3, v4 = stack.images.values()
    stack.ask_for(v2)
    with traffic(lab, stack.target_group) as there:
        moved = stack.up()
    print(f"v1 to v2: {there}")
    assert (moved.status, there.failed) == (0, [])
    assert there.answers > 100
    assert stack.wrong(v2) == []

    stack.ask_for(v3)
    with traffic(lab, stack.target_group) as back, stack.moving() as moving:
        machine = moving.printed(
            r"roll-out: (i-\w+) is not healthy: .*target unhealthy: Health checks failed"
        )[1]
        # Auto Scaling tries for an hour.
        surroundings.advance(lab, HOUR + 60)
        returned = moving.end()
    print(f"v2 to v3, and back: {back}")
    assert (returned.status != 0, back.failed) == (True, [])
    assert stack.wrong(v2) == []
    assert f"{machine}: InService, Healthy; target unhealthy" in returned.output
    assert "web v3: unknown setting greeting in /etc/web.conf" in returned.output
    assert (stack.rejected(v3) or "").startswith("prod 20")

    refused = stack.bench.preview(stack.stack)
    assert refused.status != 0
    assert f"the pinned image {v3} has been rejected" in refused.output

    stack.ask_for(v4)
    assert stack.up().status == 0
    assert stack.wrong(v4) == []
    assert stack.deployed(v4)


def test_a_rollback_waits_for_its_machines_and_disturbs_nobody_s_refresh(
    stack: Rolling, lab: LabSettings
) -> None:
    """A group that somebody else moves, or that has no numbered version to return to, is refused before anything."""
    now, to = stack.launches(), stack.another()
    number = stack.found()["LaunchTemplate"]["Version"]
    stack.ask_for(to)
    theirs = stack.refresh_by_hand()
    refused = stack.up()
    assert refused.status != 0
    assert (
        f"an instance refresh of {stack.group} is under way that stack fleet did not start" in refused.output
    )
    assert stack.refreshes()[0]["Status"] == "InProgress"
    stack.cancel_refresh()

    stack.launch_from("$Latest")
    refused = stack.up()
    assert refused.status != 0
    assert f"the Auto Scaling group {stack.group} was changed by hand" in refused.output
    assert stack.refreshes()[0]["InstanceRefreshId"] == theirs

    stack.launch_from(number)
    until(lambda: stack.wrong(now) == [], lambda: stack.wrong(now))
    with traffic(lab, stack.target_group) as there:
        back = stack.up()
    print(f"rollback: {there}")
    assert (back.status, there.failed) == (0, [])
    assert stack.wrong(to) == []


def test_a_roll_out_waits_for_capacity_and_outlives_a_loss_and_a_scale_in(
    stack: Rolling, lab: LabSettings
) -> None:
    to = stack.another()
    stack.ask_for(to)
    key = environment.AUTO_SCALING
    stack.bench.set_faults({"action": "RunInstances", "key": key, "kind": "no-capacity", "times": 10_000})
    with stack.moving() as moving:
        moving.printed("do not have sufficient capacity of the instance type")
        stack.lose_a_machine()
        stack.scale(2)
        stack.bench.set_faults()
        # It tries again after a while.
        surroundings.advance(lab, 60)
        done = moving.end()
    assert done.status == 0
    assert stack.wrong(to) == []
