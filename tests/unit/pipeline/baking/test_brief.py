"""What of Packer's log is shown: its steps, the tasks that changed something, and all of a task that failed."""

from pathlib import Path

import pytest

from pipeline.baking.brief import Brief

NAME = "==> web-base.amazon-ebs.image: "

GOOD = """
Prevalidating AMI Name: web-base-1
Launching a source AWS instance...
Adding tag: "Role": "web"
Connected to SSH!
Provisioning with shell script: packer/scripts/prepare.sh
Reading package lists...
Stop reading here
Provisioning with Ansible...
Executing Ansible: ansible-playbook -e packer_build_name="image"
PLAY [Bake the image] *****

TASK [Gathering Facts] *****
ok: [default]

TASK [baseline : Install the common packages] *****
changed: [default]

TASK [/srv/project/packer/ansible/../roles/web : Write the page] *****
changed: [default] => (item=index.html)
changed: [default] => (item=version.json)

RUNNING HANDLER [web : Reload] *****
changed: [default]

PLAY RECAP *****
default                    : ok=20   changed=14   unreachable=0    failed=0
Provisioning with shell script: packer/scripts/verify-clean.sh
verify-clean: nothing is left
Stopping the source instance...
AMI: ami-1
Deleting temporary keypair...
"""

SHOWN = [
    "Launching a source AWS instance...",
    "Connected to SSH!",
    "Provisioning with shell script: packer/scripts/prepare.sh",
    "Provisioning with Ansible...",
    "TASK [baseline : Install the common packages] changed",
    "TASK [web : Write the page] changed",
    "TASK [web : Reload] changed",
    "default : ok=20 changed=14 unreachable=0 failed=0",
    "Provisioning with shell script: packer/scripts/verify-clean.sh",
    "Stopping the source instance...",
    "AMI: ami-1",
    "Deleting temporary keypair...",
]


def log(text: str) -> list[str]:
    return [NAME + line for line in text.strip().splitlines()]


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_steps_and_changes_alone(batch: int) -> None:
    """However the lines come."""
    brief = Brief(clock=lambda: 0.0)
    lines = log(GOOD)
    shown = [line for n in range(0, len(lines), batch) for line in brief(lines[n : n + batch])]
    assert shown == [f"   0 s  {text}" for text in SHOWN]


def test_all_lines_are_kept(tmp_path: Path) -> None:
    kept = tmp_path / "reports" / "bake.log"
    brief = Brief(kept, clock=lambda: 0.0)
    lines = log(GOOD)
    brief(lines[:7])
    brief([*lines[7:], "\x1b[2J"])
    assert kept.read_text().splitlines() == [*lines, "\\x1b[2J"]
    Brief(kept)
    assert kept.read_text() == "", "those of the bake before are gone"


def test_each_line_has_its_time() -> None:
    times = iter([100.0, 100.4, 1234.0])
    brief = Brief(clock=lambda: next(times))
    assert brief(log("Launching a source AWS instance...")) == ["   0 s  Launching a source AWS instance..."]
    assert brief(log("AMI: ami-1")) == ["1134 s  AMI: ami-1"]


def test_a_task_that_failed_is_shown_to_its_end() -> None:
    failure = """
Provisioning with Ansible...
TASK [web : Install nginx] *****
fatal: [default]: FAILED! => {"msg": "No package matching 'nginz'"}
a line of its output

TASK [web : Say sorry] *****
ok: [default]
PLAY RECAP *****
Provisioning step had errors: Running the cleanup provisioner, if present...
Terminating the source AWS instance...
"""
    assert [line[8:] for line in Brief(clock=lambda: 0.0)(log(failure))] == [
        "Provisioning with Ansible...",
        'TASK [web : Install nginx] fatal: [default]: FAILED! => {"msg": "No package matching \'nginz\'"}',
        "a line of its output",
        "Provisioning step had errors: Running the cleanup provisioner, if present...",
        "Terminating the source AWS instance...",
    ]


def test_lines_without_a_builds_name() -> None:
    lines = ["==> Wait completed after 5 seconds", "==> Some builds didn't complete successfully", "x" * 20]
    assert [line[8:] for line in Brief(clock=lambda: 0.0)(lines)] == [
        "Some builds didn't complete successfully",
        "x" * 20,
    ]
