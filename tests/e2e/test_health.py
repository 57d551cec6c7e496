"""An image is good when its machines stay so, for a while and over a reboot; a slow application may be good, too."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.workbench import Run, Workbench
from tests.e2e.forge import Forge

DEV = "lab/stacks/Pulumi.dev.yaml"
CONFTEST = "packer/conftest.py"
LIVES = 20
"""Seconds that a service lives which dies; the soak is as long, so that the second look comes after its end."""

SLOW = 25
"""Seconds after its boot at which a slow application opens its port."""


def unit(name: str, section: str, *, before: str = "") -> str:
    """Shell commands that make a unit and enable it at boot."""
    file = f"/etc/systemd/system/{name}.service"
    text = f"[Unit]\n{before}\n[Service]\n{section}\n[Install]\nWantedBy=multi-user.target"
    return f"cat > {file} <<'END'\n{text}\nEND\nsystemctl enable {name}\n"


@pytest.fixture(scope="module")
def good(bench: Workbench) -> str:
    """A good image, the candidate."""
    assert bench.up("dev").status == 0
    image: str = bench.outputs("dev")["imageId"]
    bench.edit(DEV, r"^( +)healthWaitSeconds: .*", r"\1healthWaitSeconds: 5\n\1clones: 1")
    return image


Up = Callable[..., Run]


@pytest.fixture
def up(bench: Workbench, good: str, tmp_path: Path) -> Iterator[Up]:
    """Update dev with an image of the good one's machine that a script has changed; files are as before afterwards."""
    kept = {path: (bench.folder / path).read_text() for path in (DEV, CONFTEST)}

    def run(version: str, script: str, *, soak: int = 3, health_wait: int = 5) -> Run:
        bench.edit(DEV, r"^( +)soakSeconds: .*", rf"\1soakSeconds: {soak}")
        bench.edit(DEV, r"^( +)healthWaitSeconds: .*", rf"\1healthWaitSeconds: {health_wait}")
        bench.set_version(version)
        Forge(bench, tmp_path).image(good, script)
        return bench.up("dev")

    yield run
    for path, text in kept.items():
        (bench.folder / path).write_text(text)


def refused(bench: Workbench, run: Run, good: str) -> str:
    """What is said at the end of an update whose image is refused; the channel stays as it was."""
    assert run.status != 0
    assert bench.pointer("web", "candidate") == good
    error = run.output[run.output.index("Diagnostics:") :]
    assert "Traceback" not in error
    newest = max((bench.folder / "reports").glob("*/*/report.json"), key=lambda path: path.stat().st_mtime)
    assert json.loads(newest.read_text())["outcome"] == "failed"
    assert "<failure" in newest.with_name("junit.xml").read_text()
    return error


def test_services_that_die_or_start_again_and_again(bench: Workbench, good: str, up: Up) -> None:
    script = (
        unit("dies", f"Type=simple\nExecStart=/bin/sh -c 'sleep {LIVES}'\nRestart=on-failure")
        + unit(
            "loops", "ExecStart=/bin/sleep 4\nRestart=always\nRestartSec=1", before="StartLimitIntervalSec=0"
        )
        + unit("job", "Type=simple\nExecStart=/bin/sleep 1")
        + unit(
            "fills",
            f"ExecStart=/bin/sh -c 'sleep {LIVES}; mount -t tmpfs -o size=4k none /var/tmp; sleep 600'",
        )
    )
    error = refused(bench, up("13.1.0", script, soak=LIVES), good)
    assert "after-soak::stays-up::dies.service: ran before, and has ended" in error
    assert "after-soak::stays-up::loops.service: " in error
    assert "stays-up::job.service" not in error, "what does a job and ends is well"
    assert "after-soak::floor::disk: " in error
    assert "No space left on device" in error
    assert "failed 3 of" in error


def test_a_second_boot_that_is_not_like_the_first(bench: Workbench, good: str, up: Up) -> None:
    script = unit(
        "once", "Type=oneshot\nExecStart=/bin/sh -c 'test ! -e /var/lib/once && touch /var/lib/once'"
    ) + unit(
        "first",
        "ExecStart=/bin/sleep infinity",
        before="ConditionPathExists=!/var/lib/once\nBefore=once.service",
    )
    error = refused(bench, up("13.2.0", script), good)
    assert "after-reboot::test_boot.py::test_no_unit_failed" in error
    assert "after-reboot::stays-up::once.service: failed" in error
    assert "after-reboot::stays-up::first.service: ran before, and has ended" in error
    assert "i-" in error.partition("after-reboot::stays-up::once.service: failed")[0].splitlines()[-1]


def test_a_machine_that_lets_nobody_in_after_a_reboot(bench: Workbench, good: str, up: Up) -> None:
    spoils = "ExecStop=/bin/sh -c 'echo Nonsense yes >> /etc/ssh/sshd_config'"
    script = unit("spoils", f"Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n{spoils}")
    run = up("13.3.0", script)
    error = refused(bench, run, good)
    assert "did not come back after a reboot: i-" in error
    assert "its sshd does not start" in error
    assert "the last lines of its console" in run.output


def test_an_application_that_is_sick_behind_checks_that_all_skip(bench: Workbench, good: str, up: Up) -> None:
    checks = bench.folder / CONFTEST
    skip = "\n\n@pytest.fixture(autouse=True)\ndef nothing() -> None:\n    pytest.skip('not today')\n"
    checks.write_text(checks.read_text() + skip)
    sick = "sed -i 's/return 200 \\([\"'\\'']\\)ok/return 500 \\1ok/' /etc/nginx/conf.d/image.conf"
    run = up("13.4.0", f"{sick}\nrm -rf /var/log/journal\ntouch /var/log/journal\n")
    error = refused(bench, run, good)
    assert "floor::health: status 500" in error
    assert "floor::journal: " in error
    assert "test_health" in error
    assert "floor::role-test" in run.output


def test_a_slow_application_is_accepted(bench: Workbench, up: Up) -> None:
    starter = f"Type=simple\nExecStart=/bin/sh -c 'sleep {SLOW}; systemctl start nginx'"
    run = up("13.5.0", "systemctl disable nginx\n" + unit("starter", starter), health_wait=120)
    assert run.status == 0
    assert len(re.findall(r"floor::health: .*; waiting for at most \d+ s", run.output)) == 2, (
        "after each boot"
    )
    assert bench.pointer("web", "candidate") == bench.outputs("dev")["imageId"]
