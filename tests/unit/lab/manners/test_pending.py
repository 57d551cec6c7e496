"""Machines and images take their time, in phases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.core.base_backend import BackendDict

from lab import account, dataplane
from lab.manners import pace, stale_reads
from tests.unit.lab.manners.conftest import Clock
from tests.unit.lab.paper import PaperMachine, run, source
from tests.unit.lab.test_controlplane import state

PHASE = 1.5
SPAN = (PHASE, PHASE)
QUICK = pace.Pace(pending=SPAN, power=(0.0, 0.0), stopping=SPAN, shutting_down=SPAN, image=SPAN, copy=SPAN)


@pytest.fixture
def slow(ec2: Any, manners: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a lab that has phases, and does not try again."""
    monkeypatch.setitem(pace.PACES, "lab", QUICK)
    manners("pending")
    return ec2


def launch(ec2: Any, **arguments: Any) -> str:
    answer = ec2.run_instances(
        ImageId=source(ec2), InstanceType="t3.micro", MinCount=1, MaxCount=1, **arguments
    )
    assert answer["Instances"][0]["State"]["Name"] == "pending"
    instance_id: str = answer["Instances"][0]["InstanceId"]
    return instance_id


def image_state(ec2: Any, image_id: str) -> str:
    found: str = ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"]
    return found


def test_a_machine_is_pending_then_running_stopping_then_stopped_shutting_down_then_terminated(
    slow: Any, clock: Clock
) -> None:
    instance_id = launch(slow)
    assert instance_id not in PaperMachine.all
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "running"
    machine = PaperMachine.all[instance_id]
    assert machine.running
    slow.stop_instances(InstanceIds=[instance_id])
    assert (state(slow, instance_id)[0], machine.running) == ("stopping", True)
    with pytest.raises(ClientError, match=r"Instance is not in state 'running' or 'stopped'"):
        slow.create_image(InstanceId=instance_id, Name="early")
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        slow.start_instances(InstanceIds=[instance_id])
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "stopped"
    assert not machine.running
    slow.terminate_instances(InstanceIds=[instance_id])
    slow.terminate_instances(InstanceIds=[instance_id])
    assert state(slow, instance_id)[0] == "shutting-down"
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "terminated"


def test_terminating_what_is_pending_ends_it(slow: Any, clock: Clock) -> None:
    instance_id = launch(slow)
    slow.terminate_instances(InstanceIds=[instance_id])
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "terminated"
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "terminated"
    assert instance_id not in PaperMachine.all


def test_a_machine_is_gone_before_its_instance_is_called_terminated(
    slow: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance_id = launch(slow)
    clock.advance(PHASE)
    seen = []
    monkeypatch.setattr(PaperMachine, "destroy", lambda _: seen.append(state(slow, instance_id)[0]))
    slow.terminate_instances(InstanceIds=[instance_id])
    clock.advance(PHASE)
    assert seen == ["shutting-down"]
    assert state(slow, instance_id)[0] == "terminated"


def test_an_image_is_pending_starts_nothing_and_has_its_tags(slow: Any, clock: Clock) -> None:
    instance_id = launch(slow)
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "running"
    tags = [{"ResourceType": "image", "Tags": [{"Key": "BakeRun", "Value": "k"}]}]
    image_id = slow.create_image(InstanceId=instance_id, Name="baked", TagSpecifications=tags)["ImageId"]
    assert image_state(slow, image_id) == "pending"
    [image] = slow.describe_images(Filters=[{"Name": "tag:BakeRun", "Values": ["k"]}])["Images"]
    assert image["ImageId"] == image_id
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        slow.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    clock.advance(PHASE)
    assert image_state(slow, image_id) == "available"
    copy = slow.copy_image(SourceImageId=image_id, SourceRegion="eu-west-1", Name="copy", Encrypted=True)[
        "ImageId"
    ]
    assert image_state(slow, copy) == "pending"
    clock.advance(PHASE)
    assert image_state(slow, copy) == "available"


def test_an_image_that_is_deregistered_while_it_is_pending_does_not_come_back(
    slow: Any, clock: Clock
) -> None:
    instance_id = launch(slow)
    clock.advance(PHASE)
    assert state(slow, instance_id)[0] == "running"
    image_id = slow.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    slow.deregister_image(ImageId=image_id)
    clock.advance(PHASE)
    assert slow.describe_images(Owners=["self"])["Images"] == []


def test_at_aws_pace_a_machine_has_no_power_for_a_while_though_it_is_called_running(
    ec2: Any, manners: Callable[..., None], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {**vars(QUICK), "power": (0.5, 0.5)}
    monkeypatch.setitem(pace.PACES, "lab", pace.Pace(**values))
    manners("pending")
    instance_id = launch(ec2)
    clock.advance(PHASE)
    assert state(ec2, instance_id)[0] == "running"
    assert instance_id not in PaperMachine.all
    clock.advance(0.5)
    assert instance_id in PaperMachine.all


def test_a_lab_that_was_killed_has_no_phase_left(slow: Any, tmp_path: Path) -> None:
    instance_id = launch(slow)
    BackendDict.reset()
    account.load(tmp_path / "state")
    assert dataplane.ec2().get_instance(instance_id).state == "running"


@pytest.mark.parametrize("speed", pace.PACES)
def test_what_has_been_seen_to_run_is_found(speed: str) -> None:
    """The AWS provider reads a machine right after it has waited for it, and takes "not found" for gone."""
    assert pace.PACES[speed].pending[0] > stale_reads.SECONDS_BY_ID


def test_without_the_manner_all_is_at_once(ec2: Any) -> None:
    instance_id, machine = run(ec2)
    assert state(ec2, instance_id)[0] == "running"
    assert machine.running
