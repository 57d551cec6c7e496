"""The console of the last boot, addresses that come back, an account that encrypts."""

from collections.abc import Callable
from typing import Any

import pytest

from lab.manners import old_console
from tests.unit.lab.manners.conftest import Clock
from tests.unit.lab.paper import PaperMachine, run
from tests.unit.lab.test_disks import bake, snapshot_of


def console(ec2: Any, instance_id: str, **arguments: Any) -> str:
    text: str = ec2.get_console_output(InstanceId=instance_id, **arguments).get("Output", "")
    return text


def test_after_a_start_the_console_is_the_last_boots_unless_the_latest_is_asked_for(
    ec2: Any, manners: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    manners("old-console")
    instance_id, _ = run(ec2)
    assert console(ec2, instance_id) == ""
    monkeypatch.setattr(PaperMachine, "console", lambda _: "first boot")
    ec2.stop_instances(InstanceIds=[instance_id])
    ec2.start_instances(InstanceIds=[instance_id])
    monkeypatch.setattr(PaperMachine, "console", lambda _: "second boot")
    assert console(ec2, instance_id) == "first boot"
    assert console(ec2, instance_id, Latest=True) == "second boot"
    ec2.reboot_instances(InstanceIds=[instance_id])
    assert console(ec2, instance_id) == "second boot"


def test_after_a_while_the_console_is_the_present_one(
    ec2: Any, manners: Callable[..., None], clock: Clock
) -> None:
    manners("old-console")
    instance_id, _ = run(ec2)
    assert console(ec2, instance_id) == ""
    clock.advance(old_console.SECONDS + 1)
    assert console(ec2, instance_id) == f"console of {instance_id}"


def test_the_address_of_a_terminated_machine_goes_to_the_next_the_lowest_first(
    ec2: Any, manners: Callable[..., None]
) -> None:
    manners("reused-addresses")
    first, second, _ = (run(ec2) for _ in range(3))
    addresses = [str(machine.seeds[0].address) for _, machine in (first, second)]
    ec2.terminate_instances(InstanceIds=[second[0]])
    ec2.terminate_instances(InstanceIds=[first[0]])
    assert [str(run(ec2)[1].seeds[0].address) for _ in range(2)] == addresses


def test_without_the_manner_no_address_comes_back(ec2: Any) -> None:
    first, machine = run(ec2)
    ec2.terminate_instances(InstanceIds=[first])
    assert run(ec2)[1].seeds[0].address != machine.seeds[0].address


def test_an_account_that_encrypts_by_default_does_so_while_the_manner_is_on(
    ec2: Any, manners: Callable[..., None]
) -> None:
    manners("encryption")
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    assert snapshot_of(ec2, bake(ec2))["Encrypted"]
    manners()
    assert not ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
