"""Calls to the lab's EC2 act on machines before they return. The machines here are of paper."""

import base64
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core.base_backend import BackendDict

from lab import account, dataplane, settings
from lab.errors import LabError
from lab.seed import Seed
from tests.unit.lab.paper import PaperMachine, run, source


def state(ec2: Any, instance_id: str) -> tuple[str, str]:
    instance = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
    return instance["State"]["Name"], instance.get("StateReason", {}).get("Code", "")


def test_the_subnet_is_the_only_one_and_has_the_known_id(ec2: Any) -> None:
    subnets = ec2.describe_subnets()["Subnets"]
    assert [(s["SubnetId"], s["CidrBlock"]) for s in subnets] == [(settings.SUBNET_ID, "172.31.0.0/20")]


def test_run_boots_a_machine_in_the_default_subnet(ec2: Any) -> None:
    key = ec2.create_key_pair(KeyName="k", KeyType="ed25519")
    _, machine = run(ec2, KeyName="k", UserData="#!/bin/sh\n")
    assert machine.running
    seed = machine.seeds[0]
    # The first addresses are the bridge's and reserved, as on AWS.
    assert str(seed.address) == "172.31.0.4"
    assert seed.user_data == b"#!/bin/sh\n"
    assert seed.public_key is not None
    assert seed.public_key.startswith("ssh-ed25519 ")
    assert "PRIVATE KEY" in key["KeyMaterial"]


def test_user_data_from_a_launch_template_is_decoded(ec2: Any) -> None:
    data = {"ImageId": source(ec2), "UserData": base64.b64encode(b"#cloud-config\n").decode()}
    template = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    template_id = template["LaunchTemplate"]["LaunchTemplateId"]
    answer = ec2.run_instances(LaunchTemplate={"LaunchTemplateId": template_id}, MinCount=1, MaxCount=1)
    machine = PaperMachine.all[answer["Instances"][0]["InstanceId"]]
    assert machine.seeds[0].user_data == b"#cloud-config\n"


def test_stop_start_reboot_terminate(ec2: Any) -> None:
    instance_id, machine = run(ec2)
    ec2.stop_instances(InstanceIds=[instance_id])
    assert not machine.running
    ec2.start_instances(InstanceIds=[instance_id])
    assert machine.running
    ec2.reboot_instances(InstanceIds=[instance_id])
    assert machine.reboots == 1
    ec2.terminate_instances(InstanceIds=[instance_id])
    assert not machine.running
    assert state(ec2, instance_id)[0] == "terminated"


@pytest.mark.parametrize(("behaviour", "end"), [("stop", "stopped"), ("terminate", "terminated")])
def test_shutdown_from_inside(behaviour: str, end: str, ec2: Any) -> None:
    instance_id, machine = run(ec2, InstanceInitiatedShutdownBehavior=behaviour)
    machine.power_off_from_inside()
    assert state(ec2, instance_id) == (end, "Client.InstanceInitiatedShutdown")


def test_an_image_is_there_when_the_call_returns(ec2: Any, tmp_path: Path) -> None:
    instance_id, machine = run(ec2)
    (machine.folder / "upper/file").write_text("baked")
    image_id = ec2.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    # As Packer does: the machine is gone right after CreateImage.
    ec2.terminate_instances(InstanceIds=[instance_id])
    _, clone = run(ec2, ImageId=image_id)
    assert (clone.store.path(clone.layers[-1]) / "file").read_text() == "baked"


def test_an_image_of_a_running_machine_reboots_it(ec2: Any) -> None:
    instance_id, machine = run(ec2)
    ec2.create_image(InstanceId=instance_id, Name="baked")
    assert machine.running
    assert len(machine.seeds) == 2


def test_deregistering_removes_the_layer_once_no_machine_stands_on_it(ec2: Any, tmp_path: Path) -> None:
    instance_id, machine = run(ec2)
    image_id = ec2.create_image(InstanceId=instance_id, Name="baked")["ImageId"]
    layer = machine.store.path(image_id)
    ec2.deregister_image(ImageId=image_id)
    assert layer.is_dir()
    ec2.terminate_instances(InstanceIds=[instance_id])
    ec2.create_tags(Resources=[source(ec2)], Tags=[{"Key": "any", "Value": "change"}])
    machine.store.collect([])
    assert not layer.exists()


def test_an_image_without_a_disk_cannot_start_and_says_why(ec2: Any) -> None:
    image_id = ec2.register_image(Name="by hand", Architecture="x86_64")["ImageId"]
    answer = ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)
    instance_id = answer["Instances"][0]["InstanceId"]
    assert state(ec2, instance_id) == ("terminated", "Server.InternalError")


def test_an_address_outside_the_subnet_is_refused() -> None:
    stray = SimpleNamespace(id="i-1", private_ip="10.1.2.3", key_name=None, user_data=None)
    plane = dataplane.DataPlane.__new__(dataplane.DataPlane)
    plane._settings = settings.load()
    with pytest.raises(LabError, match=r"given 10\.1\.2\.3, which is outside the lab's subnet"):
        plane._seed(stray)  # type: ignore[arg-type]


def test_console_output(ec2: Any) -> None:
    instance_id, _ = run(ec2)
    assert ec2.get_console_output(InstanceId=instance_id)["Output"] == f"console of {instance_id}"


def test_the_account_survives_a_restart(ec2: Any, tmp_path: Path) -> None:
    instance_id, _ = run(ec2)
    ec2.stop_instances(InstanceIds=[instance_id])
    BackendDict.reset()
    account.load(tmp_path / "state")
    assert state(ec2, instance_id)[0] == "stopped"
    # Objects of moto's point at one another; they must be the same ones afterwards.
    assert dataplane.ec2().get_instance(instance_id).ec2_backend is dataplane.ec2()


def test_a_fault_of_the_machines_is_an_error_of_ec2(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: PaperMachine, seed: Seed) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(PaperMachine, "start", broken)
    ec2.meta.events.register("needs-retry.ec2", lambda **_: None)
    with pytest.raises(ClientError, match=r"InternalError.*could not carry out RunInstances"):
        run(ec2)


def test_the_default_vpc_has_a_way_out(ec2: Any) -> None:
    [table] = ec2.describe_route_tables(Filters=[{"Name": "association.main", "Values": ["true"]}])[
        "RouteTables"
    ]
    [way] = [route for route in table["Routes"] if route["DestinationCidrBlock"] == "0.0.0.0/0"]
    assert way["GatewayId"].startswith("igw-")


def test_what_moto_does_not_do_is_an_error_that_a_client_can_read(ec2: Any) -> None:
    with pytest.raises(ClientError, match="could not carry out GetIpamAddressHistory"):
        ec2.get_ipam_address_history(Cidr="10.0.0.0/8", IpamScopeId="ipam-scope-1")


def test_a_dry_run_of_a_read_reads_nothing(ec2: Any) -> None:
    for read in (ec2.describe_snapshots, ec2.describe_instance_types, ec2.describe_images):
        with pytest.raises(ClientError, match="DryRunOperation"):
            read(DryRun=True)
