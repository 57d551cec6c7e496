"""The lab's EC2, as a client sees it: what a call returns is already so."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from lab import cgroups, environment
from lab.settings import LabSettings
from lab.workbench import PROJECT

SOURCE = [{"Name": "name", "Values": ["*-lab"]}]
WITHIN_SECONDS = 300


@pytest.fixture(scope="module")
def ec2(lab: LabSettings) -> Any:
    return environment.client(lab, "ec2")


@pytest.fixture(scope="module")
def source(ec2: Any) -> str:
    image: str = ec2.describe_images(Filters=SOURCE)["Images"][0]["ImageId"]
    return image


@pytest.fixture
def launch(ec2: Any, source: str) -> Iterator[Callable[..., dict[str, Any]]]:
    """Launches a machine; all of them are gone after the test."""
    launched: list[str] = []

    def run(**options: Any) -> dict[str, Any]:
        wanted = {"ImageId": source, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1} | options
        instance: dict[str, Any] = ec2.run_instances(**wanted)["Instances"][0]
        launched.append(instance["InstanceId"])
        return instance

    yield run
    ec2.terminate_instances(InstanceIds=launched)


def state(ec2: Any, instance: dict[str, Any]) -> str:
    found = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])
    name: str = found["Reservations"][0]["Instances"][0]["State"]["Name"]
    return name


def answers(instance: dict[str, Any]) -> bool:
    """Whether the machine is there; a refused connection is an answer too."""
    try:
        with socket.create_connection((instance["PrivateIpAddress"], 22), timeout=1):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def console(ec2: Any, instance: dict[str, Any]) -> str:
    text: str = ec2.get_console_output(InstanceId=instance["InstanceId"]).get("Output", "")
    return text


def test_user_data_runs_and_the_console_tells(ec2: Any, launch: Callable[..., dict[str, Any]]) -> None:
    script = '#!/bin/sh\necho "user data ran on $(hostname)" > /dev/console\n'
    instance = launch(UserData=script)
    name = "ip-" + instance["PrivateIpAddress"].replace(".", "-")
    until(lambda: f"user data ran on {name}" in console(ec2, instance))
    shown = subprocess.run(
        ["python", "-m", "lab", "console", instance["InstanceId"]],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"user data ran on {name}" in shown.stdout


def test_stop_start_reboot_terminate(ec2: Any, launch: Callable[..., dict[str, Any]]) -> None:
    instance = launch()
    ids = [instance["InstanceId"]]
    until(lambda: answers(instance))
    ec2.stop_instances(InstanceIds=ids)
    assert state(ec2, instance) == "stopped"
    assert not answers(instance)
    ec2.start_instances(InstanceIds=ids)
    until(lambda: answers(instance))
    boots = console(ec2, instance).count("Welcome to")
    ec2.reboot_instances(InstanceIds=ids)
    until(lambda: console(ec2, instance).count("Welcome to") > boots)
    ec2.terminate_instances(InstanceIds=ids)
    assert state(ec2, instance) == "terminated"
    assert not answers(instance)
    assert "Welcome to" in console(ec2, instance), "the console outlives the machine for a while"


def left(lab: LabSettings, instance: dict[str, Any]) -> dict[str, Any]:
    """What is on this host of a machine."""
    shown = subprocess.run(
        ["ip", "-json", "link", "show", "master", lab.bridge], capture_output=True, text=True, check=True
    )
    names = [name for link in json.loads(shown.stdout) for name in link.get("altnames", [])]
    known = subprocess.run(
        ["ip", "neighbour", "show", "to", instance["PrivateIpAddress"], "dev", lab.bridge],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {
        "processes": cgroups.processes(f"{lab.cgroup}/{instance['InstanceId']}"),
        "links": [name for name in names if instance["InstanceId"] in name],
        "neighbours": known.stdout.splitlines(),
    }


def test_a_machine_that_is_terminated_while_it_runs_is_gone_and_its_address_is_the_next_ones(
    lab: LabSettings, ec2: Any, launch: Callable[..., dict[str, Any]]
) -> None:
    url = f"{lab.endpoint}/lab-api/manners"
    httpx.put(url, json=["pending", "reused-addresses"], timeout=300).raise_for_status()
    try:
        first = launch()
        until(lambda: answers(first))
        assert left(lab, first)["processes"]
        ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
        until(lambda: state(ec2, first) == "terminated")
        assert left(lab, first) == {"processes": [], "links": [], "neighbours": []}
        second = launch(UserData='#!/bin/sh\necho "second" > /dev/console\n')
        assert second["PrivateIpAddress"] == first["PrivateIpAddress"]
        until(lambda: "second" in console(ec2, second))
        until(lambda: answers(second))
    finally:
        httpx.put(url, json=[], timeout=300).raise_for_status()


def test_a_machine_whose_keeper_on_the_host_was_killed_is_off(
    lab: LabSettings, ec2: Any, launch: Callable[..., dict[str, Any]]
) -> None:
    instance = launch()
    until(lambda: answers(instance))
    [nspawn] = [
        process
        for process in map(psutil.Process, left(lab, instance)["processes"])
        if process.name() == "systemd-nspawn"
    ]
    nspawn.kill()
    until(lambda: state(ec2, instance) == "stopped")
    assert left(lab, instance) == {"processes": [], "links": [], "neighbours": []}


@pytest.mark.parametrize(("behaviour", "end"), [("stop", "stopped"), ("terminate", "terminated")])
def test_a_shutdown_from_inside_shows_outside(
    lab: LabSettings, ec2: Any, launch: Callable[..., dict[str, Any]], behaviour: str, end: str
) -> None:
    instance = launch(UserData="#!/bin/sh\nsystemctl poweroff\n", InstanceInitiatedShutdownBehavior=behaviour)
    until(lambda: state(ec2, instance) == end)
    disk = lab.machines_dir / instance["InstanceId"]
    until(lambda: disk.exists() is (end == "stopped"))
    assert not answers(instance)


def megabytes(lab: LabSettings) -> int:
    size = subprocess.run(["du", "-sm", str(lab.layers_dir)], capture_output=True, text=True, check=True)
    return int(size.stdout.split()[0])


def test_an_image_is_a_layer_and_boots(
    lab: LabSettings, ec2: Any, launch: Callable[..., dict[str, Any]]
) -> None:
    before = megabytes(lab)
    script = "#!/bin/sh\necho marked > /etc/marked\nsync\necho marked > /dev/console\n"
    first = launch(UserData=script)
    until(lambda: "marked" in console(ec2, first))
    image = ec2.create_image(InstanceId=first["InstanceId"], Name="marked")["ImageId"]
    show = '#!/bin/sh\necho "found $(cat /etc/marked)" > /dev/console\n'
    second = launch(ImageId=image, UserData=show)
    until(lambda: "found marked" in console(ec2, second))
    assert second["PrivateIpAddress"] != first["PrivateIpAddress"]
    assert megabytes(lab) - before < 100, "an image costs what differs from its base"

    ec2.terminate_instances(InstanceIds=[second["InstanceId"]])
    layers = set(Path(lab.layers_dir).iterdir())
    ec2.deregister_image(ImageId=image)
    ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    assert len(set(Path(lab.layers_dir).iterdir())) <= len(layers)
    # EC2 refuses the call; moto takes it, and the machine ends at once.
    assert state(ec2, launch(ImageId=image)) == "terminated"


def test_an_image_without_a_disk_cannot_be_started(ec2: Any, launch: Callable[..., dict[str, Any]]) -> None:
    image = ec2.register_image(Name="metadata only", RootDeviceName="/dev/xvda")["ImageId"]
    instance = launch(ImageId=image)
    assert state(ec2, instance) == "terminated"
    found = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert "has no disk in the lab" in found["StateReason"]["Message"]
    ec2.deregister_image(ImageId=image)
