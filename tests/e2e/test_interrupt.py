"""A bake that is interrupted in the middle leaves nothing, and the next update succeeds."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab.workbench import Workbench
from tests.e2e.conftest import MANNERS, Bench

CLEAN_SECONDS = 300


def to_the_group(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As a terminal does for Ctrl-C: to all processes in the foreground."""
    os.killpg(process.pid, number)


def to_the_process(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """As `kill` and a CI runner do."""
    process.send_signal(number)


def of_a_bake(bench: Workbench) -> dict[str, list[str]]:
    """What a bake makes for itself, and must take away."""
    ec2 = bench.client("ec2")
    filters = [
        {"Name": "tag:ManagedBy", "Values": ["packer"]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found: dict[str, list[str]] = {
        "builders": [
            instance["InstanceId"]
            for reservation in ec2.describe_instances(Filters=filters)["Reservations"]
            for instance in reservation["Instances"]
        ],
        "key pairs": [key["KeyName"] for key in ec2.describe_key_pairs()["KeyPairs"]],
        "security groups": [group["GroupName"] for group in ec2.describe_security_groups()["SecurityGroups"]],
    }
    return {
        kind: [name for name in names if "packer" in name or kind == "builders"]
        for kind, names in found.items()
    }


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came:\n{seen}")


@pytest.fixture
def _background() -> Iterator[None]:
    """As if these tests were a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_background")
def test_what_a_background_job_starts_hears_ctrl_c(bench: Workbench) -> None:
    ignored = re.search(r"SigIgn:\s*(\w+)", bench.run("cat", "/proc/self/status").output)
    assert ignored
    assert not int(ignored[1], 16) & 1 << (signal.SIGINT - 1)
    with bench.start("python", "-c", "import time; print('started'); time.sleep(900)") as process:
        read_until(process, "started")
        to_the_group(process, signal.SIGINT)
        assert process.wait(CLEAN_SECONDS) == -signal.SIGINT


@pytest.mark.parametrize(
    ("number", "send", "moment"),
    [
        pytest.param(signal.SIGINT, to_the_group, "Connected to SSH", id="ctrl-c"),
        pytest.param(signal.SIGTERM, to_the_process, "TASK [", id="sigterm"),
        pytest.param(signal.SIGKILL, to_the_process, "TASK [", id="sigkill"),
    ],
)
def test_nothing_is_left_and_the_next_update_succeeds(
    bench: Workbench,
    number: signal.Signals,
    send: Callable[[subprocess.Popen[str], signal.Signals], Any],
    moment: str,
) -> None:
    bench.set_version(f"3.{int(number)}.0")
    process = bench.start(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
    with process:
        read_until(process, moment)
        there = of_a_bake(bench)
        assert all(there.values()), there
        send(process, number)
        sent = time.monotonic()
        while any(of_a_bake(bench).values()):
            assert time.monotonic() - sent < CLEAN_SECONDS, of_a_bake(bench)
            time.sleep(0.5)
        assert process.stdout is not None
        process.stdout.read()
    assert process.returncode != 0
    if number == signal.SIGKILL:
        # Nobody is left to release Pulumi's own lock.
        assert bench.up("dev").status != 0
        assert bench.run("python", "-m", "lab", "unlock", "dev").status == 0
    images = len(bench.client("ec2").describe_images(Owners=["self"])["Images"])
    up = bench.up("dev")
    assert up.status == 0
    assert len(bench.client("ec2").describe_images(Owners=["self"])["Images"]) == images + 1


def images_of(bench: Workbench, **tags: str) -> list[dict[str, Any]]:
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
    found: list[dict[str, Any]] = bench.client("ec2").describe_images(Owners=["self"], Filters=filters)[
        "Images"
    ]
    return found


def test_one_interrupted_while_its_image_is_pending_leaves_nothing_that_is_adopted(bench: Bench) -> None:
    """Packer forgets an image that it still waits for (amazon plugin 1.3.2, 1.8.2: ebs/step_create_ami.go)."""
    bench.set_version("3.80.0")
    bench.set_manners("pending")
    process = bench.start(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
    with process:
        read_until(process, "Waiting for AMI to become ready")
        (unfinished,) = [
            image for image in images_of(bench, ManagedBy="packer") if image["State"] == "pending"
        ]
        tags = {tag["Key"]: tag["Value"] for tag in unfinished["Tags"]}
        assert "BakeKey" not in tags
        to_the_group(process, signal.SIGINT)
        assert process.stdout is not None
        process.stdout.read()
    assert process.returncode != 0
    sent = time.monotonic()
    while any(of_a_bake(bench).values()) or images_of(bench, BakeId=tags["BakeId"]):
        assert time.monotonic() - sent < CLEAN_SECONDS
        time.sleep(0.5)
    bench.set_manners(*MANNERS)
    up = bench.up("dev")
    assert up.status == 0
    assert "adopting" not in up.output
    (made,) = images_of(bench, BakeKey=tags["BakeRun"])
    assert made["ImageId"] != unfinished["ImageId"]
    assert bench.pointer("web", "candidate") == made["ImageId"]


def silence(instance: str) -> None:
    """Let a machine answer nothing over SSH any more, as if its network were cut: connections stay, and are mute."""
    stopped = 0
    for process in psutil.process_iter(["name", "pid"]):
        group = Path(f"/proc/{process.pid}/cgroup")
        if (
            (process.info["name"] or "").startswith("sshd")
            and group.exists()
            and instance in group.read_text()
        ):
            process.suspend()
            stopped += 1
    assert stopped


def test_a_builder_that_stops_answering_ends_the_bake(bench: Workbench) -> None:
    bench.set_version("3.90.0")
    process = bench.start(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
    with process:
        read_until(process, "TASK [")
        (builder,) = of_a_bake(bench)["builders"]
        silence(builder)
        assert process.stdout is not None
        output = process.stdout.read()
    assert process.returncode != 0
    assert "the builder stopped answering over SSH in the middle of the bake" in output, output
    assert not any(of_a_bake(bench).values()), of_a_bake(bench)
    assert bench.up("dev").status == 0


def test_an_update_names_the_builder_that_another_bake_has_left(bench: Workbench) -> None:
    ec2 = bench.client("ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    tags = [{"Key": "ManagedBy", "Value": "packer"}, {"Key": "BakeRun", "Value": "0" * 32}]
    (left,) = ec2.run_instances(
        ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )["Instances"]  # fmt: skip
    up = bench.up("dev")
    ec2.terminate_instances(InstanceIds=[left["InstanceId"]])
    assert up.status == 0
    assert f"builder {left['InstanceId']} of another bake ({'0' * 32}) is" in up.output
