"""A bake that is interrupted in the middle leaves nothing, and the next update succeeds."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.workbench import Workbench

CLEAN_SECONDS = 60


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
    with bench.start("python", "-c", "import time; print('started'); time.sleep(60)") as process:
        read_until(process, "started")
        to_the_group(process, signal.SIGINT)
        assert process.wait(CLEAN_SECONDS / 2) == -signal.SIGINT


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
