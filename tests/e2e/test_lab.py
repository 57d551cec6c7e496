"""Starting and stopping a lab, also on top of one that runs, crashed, or whose place is taken."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab import settings as lab_settings
from lab.settings import LabSettings
from tests.e2e.conftest import lab_command, wipe

NAME = "spare"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabSettings]:
    """Settings of a lab that is down, beside the one of the session."""
    monkeypatch.setenv("GOLDEN_IMAGE_LAB", NAME)
    settings = lab_settings.load()
    wipe(settings)
    yield settings
    wipe(settings)


def status() -> tuple[int, dict[str, Any]]:
    done = lab_command("status", "--json", name=NAME)
    return done.returncode, json.loads(done.stdout)


def test_up_twice_and_down_twice(place: LabSettings) -> None:
    assert "up, answers on" in lab_command("up", name=NAME).stdout
    again = lab_command("up", name=NAME)
    assert again.returncode == 0
    assert "was up already" in again.stdout
    code, found = status()
    assert code == 0
    assert found["host"]["bridge"] == [place.bridge]
    down = lab_command("down", name=NAME)
    assert (down.returncode, down.stdout) == (0, f"lab {NAME}: stopped\n")
    code, found = status()
    assert code == 3
    assert not any(found["host"].values())
    links = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout
    assert place.bridge not in links
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    assert place.nft_table not in tables
    again = lab_command("down", name=NAME)
    assert (again.returncode, again.stdout) == (0, f"lab {NAME}: was not up\n")


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


@pytest.mark.parametrize("who", ["keeper", "server", "both"])
def test_a_crash_leaves_nothing_that_the_next_start_does_not_clear(place: LabSettings, who: str) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    keeper, *servers = processes()
    assert servers
    victims = {"keeper": [keeper], "server": servers[-1:], "both": [keeper, *servers]}[who]
    for process in victims:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs([keeper, *servers], timeout=30)
    if who != "both":
        assert status()[0] == 3, "one of the two clears up after the other"
    again = lab_command("up", name=NAME)
    assert again.returncode == 0, again.stderr
    assert "was up already" not in again.stdout
    assert lab_command("down", name=NAME).returncode == 0
    assert status()[0] == 3


def test_a_port_that_is_taken(place: LabSettings) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        done = lab_command("up", name=NAME)
    assert done.returncode == 1
    assert f"port {place.port} on 127.0.0.1 is taken" in done.stderr
    assert "GOLDEN_IMAGE_LAB_PORT" in done.stderr
    assert status()[0] == 3


def test_a_bridge_that_is_somebody_elses(place: LabSettings) -> None:
    subprocess.run(["ip", "link", "add", place.bridge, "type", "bridge"], check=True)
    try:
        done = lab_command("up", name=NAME)
        assert done.returncode == 1
        assert f"there is already a network link {place.bridge!r}, and it is not the lab's" in done.stderr
        assert Path("/sys/class/net", place.bridge).exists(), "what is not ours stays"
    finally:
        subprocess.run(["ip", "link", "delete", place.bridge], check=True)


def parameters(statement: str) -> str:
    """What a script that sees only `lab env` finds in SSM after a statement of boto3's."""
    show = f"import boto3; {statement}; print(boto3.client('ssm').describe_parameters(MaxResults=50))"
    script = f'{lab_command("env", name=NAME).stdout}python -c "{show}"'.replace("; ;", ";")
    return subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True).stdout


def test_what_it_knew_is_kept_over_a_restart_and_forgotten_by_reset(place: LabSettings) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    assert "/kept" in parameters("boto3.client('ssm').put_parameter(Name='/kept', Value='y', Type='String')")
    lab_command("down", name=NAME)
    assert lab_command("up", name=NAME).returncode == 0
    assert "/kept" in parameters("")
    assert lab_command("reset", name=NAME).returncode == 0
    assert not place.state_dir.exists()
