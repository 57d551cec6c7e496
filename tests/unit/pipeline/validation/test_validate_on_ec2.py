"""The step on an account of moto's: what is left of machines and image, by what comes of the checks."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone, Clones
from pipeline.machines.ssh import SshSession
from pipeline.model import TAG_CHANNEL, TAG_ROLE
from pipeline.results import FAILED, PASSED, CheckResult
from pipeline.scanning import imagescan
from pipeline.validation import accounts, floor, keygen, pytest_run, report, show, validate
from pipeline.validation.completeness import Run
from pipeline.validation.gate import Gate

REGION = "eu-west-1"


def result(check: str, clone: Clone, outcome: str = PASSED) -> CheckResult:
    return CheckResult(check=check, address=clone.address, outcome=outcome, seconds=0)


class Stack:
    """An image that Packer has tagged as a candidate, two stopped machines of it, and a plan to check them."""

    def __init__(self, folder: Path) -> None:
        self.ec2 = boto3.client("ec2", region_name=REGION)
        self.folder = folder
        self.image = self.ec2.register_image(Name="web-1", RootDeviceName="/dev/xvda")["ImageId"]
        wanted = {TAG_ROLE: "web", TAG_CHANNEL: "candidate"}
        self.ec2.create_tags(
            Resources=[self.image], Tags=[{"Key": key, "Value": wanted[key]} for key in wanted]
        )
        subnet = self.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        started = self.ec2.run_instances(
            ImageId=self.image, InstanceType="t3.micro", MinCount=2, MaxCount=2, SubnetId=subnet
        )["Instances"]
        self.machines = [machine["InstanceId"] for machine in started]
        self.ec2.stop_instances(InstanceIds=self.machines)
        self.plan: dict[str, Any] = {
            "region": REGION, "role": "web", "user": "admin", "address": "private", "suite": "s" * 32,
            "timeoutSeconds": 300, "healthWaitSeconds": 5, "soakSeconds": 0, "reboot": False,
            "imageId": self.image, "instanceIds": self.machines,
            "privateKey": keygen.run({"imageId": self.image})["privateKey"],
        }  # fmt: skip

    def states(self) -> set[str]:
        found = self.ec2.describe_instances(InstanceIds=self.machines)["Reservations"]
        return {one["State"]["Name"] for reservation in found for one in reservation["Instances"]}

    def channel(self) -> str | None:
        tags = self.ec2.describe_images(ImageIds=[self.image])["Images"][0]["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}.get(TAG_CHANNEL)

    def report(self) -> dict[str, Any]:
        (path,) = self.folder.glob(f"{self.image}/*/report.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found


@pytest.fixture
def stack(aws: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Its machines come up, and pass all that is not of packer/checks."""
    monkeypatch.setattr(SshSession, "wait_for_port", lambda self, clone, deadline, alive: alive())
    monkeypatch.setattr(SshSession, "wait_for_boot", lambda self, clone, deadline, alive: "running")
    monkeypatch.setattr(show, "journal", lambda clone, access: None)
    monkeypatch.setattr(Gate, "_identity", lambda self, machines: [])
    for module in (imagescan, accounts, floor):
        name = f"{module.__name__.rpartition('.')[2]}::own"
        monkeypatch.setattr(module, "check", lambda clone, name=name, **_: [result(name, clone)])
    checks(monkeypatch, PASSED)
    original = report.write
    monkeypatch.setattr(report, "write", lambda facts, found, ids: original(facts, found, ids, tmp_path))
    return Stack(tmp_path)


def checks(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    """Let the checks of the role come to this."""

    def run(clones: list[Clone], **_: Any) -> Run:
        check = "test_web.py::test_health"
        done = Run(roles={f"roles/web/checks/{check}[ssh://admin@{clones[0].address}]": ()})
        done.results.append(result(check, clones[0], outcome))
        return done

    monkeypatch.setattr(pytest_run, "run", run)


def test_an_image_that_passes_keeps_its_channel_and_its_machines_stop(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = validate.run(stack.plan)
    assert verdict["imageId"] == stack.image
    assert stack.states() == {"stopped"}
    assert stack.channel() == "candidate"
    assert stack.report()["outcome"] == PASSED
    assert {check["machine"] for check in stack.report()["checks"]} <= {*stack.machines, ""}
    told = capsys.readouterr().err
    assert all(f"{machine} (" in told for machine in stack.machines)
    assert "boot finished after" in told


def test_one_that_fails_loses_its_channel_and_its_machines_stay_for_a_look(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks(monkeypatch, FAILED)
    with pytest.raises(PipelineError, match=rf"{stack.image} failed"):
        validate.run(stack.plan)
    assert stack.states() == {"running"}
    assert stack.channel() is None
    assert stack.report()["outcome"] == FAILED


def test_one_whose_machine_does_not_come_up(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def never(self: SshSession, clone: Clone, *_: Any) -> str:
        if clone.id == stack.machines[1]:
            raise PipelineError(f"{clone} never answered")
        return "running"

    monkeypatch.setattr(SshSession, "wait_for_boot", never)
    monkeypatch.setattr(Clones, "console", lambda self, clone, lines=None: f"panic of {clone.id}")
    with pytest.raises(PipelineError, match=rf"{stack.machines[1]} .* never answered"):
        validate.run(stack.plan)
    told = capsys.readouterr().err
    assert f"panic of {stack.machines[1]}" in told
    assert f"panic of {stack.machines[0]}" not in told
    assert stack.channel() is None
    assert [check["check"] for check in stack.report()["checks"]] == ["validation"]


def test_a_machine_that_is_gone(stack: Stack) -> None:
    stack.ec2.terminate_instances(InstanceIds=stack.machines[:1])
    with pytest.raises(PipelineError, match=f"{stack.machines[0]} has been terminated"):
        validate.run(stack.plan)
    assert stack.channel() is None
    assert stack.report()["error"].startswith(f"validation machine {stack.machines[0]} has been terminated")
