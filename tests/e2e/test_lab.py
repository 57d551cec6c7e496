"""Starting and stopping a lab, also on top of one that runs, crashed, or whose place is taken."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab import environment, keeper, leftovers, manners, reserved
from lab import settings as lab_settings
from lab.settings import LabSettings
from lab.workbench import PROJECT
from tests.e2e.conftest import lab_command, wipe
from tests.e2e.spare import (
    NAME,
    keeper_of,
    launch,
    parameters,
    processes,
    start_command,
    status,
    until,
    whole_lab,
)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabSettings]:
    """Settings of a lab that is down, beside the one of the session."""
    monkeypatch.setenv("GOLDEN_IMAGE_LAB", NAME)
    settings = lab_settings.load()
    with reserved.reserved(settings, wait=True):
        wipe(settings)
        yield settings
        wipe(settings)


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


@pytest.mark.parametrize("who", ["keeper", "server", "both"])
def test_a_crash_leaves_nothing_that_the_next_start_does_not_clear(place: LabSettings, who: str) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    keeper, *servers = processes()
    assert servers
    victims = {"keeper": [keeper], "server": servers[-1:], "both": [keeper, *servers]}[who]
    for process in victims:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs([keeper, *servers], timeout=300)
    if who != "both":
        assert status()[0] == 3, "one of the two clears up after the other"
    again = lab_command("up", name=NAME)
    assert again.returncode == 0, again.stderr
    assert "was up already" not in again.stdout
    assert lab_command("down", name=NAME).returncode == 0
    assert status()[0] == 3


def test_a_lab_with_manners_that_crashes_in_the_middle_of_a_phase_ends_it_at_the_next_start(
    place: LabSettings,
) -> None:
    assert lab_command("up", "--manners", "--pace", "aws", name=NAME).returncode == 0
    ec2 = environment.client(place, "ec2", environment.KEY)
    onlooker = environment.client(place, "ec2", environment.ONLOOKER)

    def states() -> dict[str, str]:
        found = onlooker.describe_instances()["Reservations"]
        return {one["InstanceId"]: one["State"]["Name"] for each in found for one in each["Instances"]}

    source = onlooker.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]

    def start() -> dict[str, Any]:
        launched = ec2.run_instances(ImageId=source, InstanceType="t3.micro", MinCount=1, MaxCount=1)
        instance: dict[str, Any] = launched["Instances"][0]
        return instance

    ending = start()
    until(lambda: states()[ending["InstanceId"]] == "running")
    ec2.terminate_instances(InstanceIds=[ending["InstanceId"]])
    starting = start()
    assert starting["PrivateIpAddress"] != ending["PrivateIpAddress"], "it is not free yet"
    crash = processes()
    for process in crash:
        process.kill()
    psutil.wait_procs(crash, timeout=300)
    assert lab_command("up", name=NAME).returncode == 0
    assert status()[1]["manners"] == list(manners.NAMES)
    assert states() == {ending["InstanceId"]: "terminated", starting["InstanceId"]: "running"}
    assert [path.name for path in place.machines_dir.iterdir() if path.is_dir()] == [starting["InstanceId"]]
    assert start()["PrivateIpAddress"] == ending["PrivateIpAddress"]


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


def test_what_it_knew_is_kept_over_a_restart_and_forgotten_by_reset(place: LabSettings) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    assert "/kept" in parameters("boto3.client('ssm').put_parameter(Name='/kept', Value='y', Type='String')")
    lab_command("down", name=NAME)
    assert lab_command("up", name=NAME).returncode == 0
    assert "/kept" in parameters("")
    assert lab_command("reset", name=NAME).returncode == 0
    assert not place.state_dir.exists()


@pytest.mark.parametrize("stop", ["down", "sigterm"])
def test_up_of_a_lab_that_is_being_stopped_starts_it_again(place: LabSettings, stop: str) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    first = keeper_of(place)
    launch(place)  # a machine to be stopped, so that stopping takes its time
    if stop == "down":
        stopping = start_command("down")
    else:
        os.kill(first, signal.SIGTERM)
        stopping = None
    # Until it has heard of it the lab is up, and says so.
    until(lambda: not keeper.running(place))
    again = lab_command("up", name=NAME)
    assert (again.returncode, "was up already" in again.stdout) == (0, False), again.stderr
    if stopping:
        assert stopping.wait(300) == 0
    assert status()[0] == 0
    assert keeper_of(place) != first


def test_a_lab_that_is_broken_in_every_file_says_so_and_is_reset(place: LabSettings) -> None:
    assert lab_command("up", name=NAME).returncode == 0
    lab_command("down", name=NAME)
    for file in [path for path in place.state_dir.rglob("*") if path.is_file() and path != place.log_file]:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    (place.state_dir / "keeper.json").touch()
    assert status()[0] == 3
    up = lab_command("up", name=NAME)
    assert up.returncode == 1
    assert "is cut or broken" in up.stderr
    assert "python -m lab reset" in up.stderr
    assert "Traceback" not in up.stderr
    for command in ("down", "reset"):
        done = lab_command(command, name=NAME)
        assert done.returncode == 0, done.stderr
    assert not place.state_dir.exists()
    assert lab_command("up", name=NAME).returncode == 0


@pytest.mark.parametrize("content", ["", '{"pid": 1, "cre', '{"pid": 1, "created": 0.0}', "[]"])
def test_no_file_in_its_folder_decides_whether_it_is_up(place: LabSettings, content: str) -> None:
    place.state_dir.mkdir(parents=True)
    (place.state_dir / "keeper.json").write_text(content)
    assert status()[0] == 3
    assert lab_command("down", name=NAME).stdout == f"lab {NAME}: was not up\n"
    assert lab_command("reset", name=NAME).returncode == 0
    assert not place.state_dir.exists()


def test_a_reset_of_something_else_in_the_folders_place(place: LabSettings, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    place.state_dir.symlink_to(tmp_path)
    assert lab_command("reset", name=NAME).returncode == 0
    assert not place.state_dir.is_symlink()
    assert (tmp_path / "kept").exists(), "what a link points to is not the lab's"
    place.state_dir.touch()
    assert lab_command("reset", name=NAME).returncode == 0
    assert not place.state_dir.exists()


def test_a_lab_that_somebody_uses_is_not_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_LAB", NAME)
    settings = lab_settings.load()
    wipe(settings)
    assert lab_command("up", name=NAME).returncode == 0
    (settings.state_dir / "mine").touch()
    refused = whole_lab()
    out, err = refused.communicate()
    assert (refused.returncode, out) == (1, "")
    assert f"the lab '{NAME}' is up, and this would wipe it" in err
    assert f"GOLDEN_IMAGE_LAB={NAME} python -m lab reset" in err
    assert (settings.state_dir / "mine").exists()
    assert status()[0] == 0
    wipe(settings)


def test_two_that_want_a_whole_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_LAB", NAME)
    settings = lab_settings.load()
    wipe(settings)
    first = whole_lab()
    assert first.stdout is not None
    assert first.stdout.readline() == "wiped\n"
    second = whole_lab()
    out, err = second.communicate()
    assert (second.returncode, out) == (1, "")
    assert f"the lab '{NAME}' is in use by process {first.pid} ({sys.executable}" in err
    assert f"in {PROJECT}" in err
    assert status()[0] == 0, "the first one's lab goes on"
    first.communicate("\n")
    assert first.returncode == 0
    assert status()[0] == 3
    assert not settings.state_dir.exists()


@pytest.fixture
def _load() -> Iterator[None]:
    """Twice as many busy processes as there are cores; the other workers of the run are some of them."""
    others = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) - 1
    wanted = max(1, 2 * (os.cpu_count() or 1) - others)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(wanted)]
    yield
    for process in busy:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("_load")
def test_ten_resets_under_load_leave_nothing(place: LabSettings) -> None:
    for number in range(10):
        assert lab_command("up", name=NAME).returncode == 0
        if number % 2:
            launch(place, count=2)  # they still boot when the reset comes
        if number % 5 == 4:
            for process in processes():  # and nobody is there to stop them in order
                process.kill()
        done = lab_command("reset", name=NAME)
        assert done.returncode == 0, done.stderr
        left = {kind: names for kind, names in leftovers.find(place).items() if names}
        assert not left, f"reset {number + 1} left {left}"
        assert not place.state_dir.exists()
