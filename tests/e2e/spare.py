"""A lab beside the one of the session, to be started, broken and stopped."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from lab import environment, keeper
from lab.settings import LabSettings
from lab.workbench import PROJECT
from tests.e2e.conftest import lab_command

NAME = "spare"


def status() -> tuple[int, dict[str, Any]]:
    done = lab_command("status", "--json", name=NAME)
    return done.returncode, json.loads(done.stdout)


def processes() -> list[psutil.Process]:
    """Keeper and server of the lab, the keeper first."""
    found = []
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
            mine = process.environ().get("GOLDEN_IMAGE_LAB") == NAME
        except psutil.Error:
            continue
        if mine and "-m" in line and ("lab.keeper" in line or "lab.server" in line):
            found.append(process)
    return sorted(found, key=lambda process: "lab.keeper" not in process.cmdline())


def parameters(statement: str) -> str:
    """What a script that sees only `lab env` finds in SSM after a statement of boto3's."""
    show = f"import boto3; {statement}; print(boto3.client('ssm').describe_parameters(MaxResults=50))"
    script = f'{lab_command("env", name=NAME).stdout}python -c "{show}"'.replace("; ;", ";")
    return subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True).stdout


def keeper_of(place: LabSettings) -> int:
    pid = keeper.parts(place).holder(keeper.Part.KEEPER)
    assert pid
    return pid


WHOLE = """
import sys
from lab import reserved
from lab.errors import LabError
from lab.workbench import lab_of
try:
    with reserved.own(lab_of(sys.argv[1]), wait=False):
        print("wiped", flush=True)
        input()
except LabError as error:
    sys.exit(f"error: {error}")
"""


def whole_lab() -> subprocess.Popen[str]:
    """As demo and measurements do: a whole lab for themselves."""
    return subprocess.Popen(
        [sys.executable, "-c", WHOLE, NAME], cwd=PROJECT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def start_command(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "lab", *words], cwd=PROJECT, stdout=subprocess.DEVNULL)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


def launch(place: LabSettings, count: int = 1) -> None:
    ec2 = environment.client(place, "ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["debian-*-lab", "ubuntu-*-lab"]}])
    image_id = source["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image_id, InstanceType="t3.micro", MinCount=count, MaxCount=count)
