"""The doctor: real faults of machine and account, several at a time, and each is found with its cause and its cure."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.settings import SUBNET_ID
from lab.workbench import Workbench
from tests.e2e.registry import EVIDENCE

PATTERN = "lab/stacks/Pulumi.{stack}.yaml"
DEV = "lab/stacks/Pulumi.dev.yaml"
ROLE = "doctor"
NOWHERE = "http://127.0.0.1:9"
TAGS = [{"Key": "ManagedBy", "Value": "packer"}, {"Key": "BakeKey", "Value": "0" * 32}]


@dataclass(frozen=True)
class Report:
    """What one run of the doctor said."""

    status: int
    findings: list[dict[str, str]]

    def of(self, check: str, status: str) -> dict[str, str]:
        """The one finding of a check with that status."""
        found = [one for one in self.findings if (one["check"], one["status"]) == (check, status)]
        assert len(found) == 1, [one for one in self.findings if one["check"] == check]
        return found[0]

    def failed(self) -> set[str]:
        return {one["check"] for one in self.findings if one["status"] == "fail"}


class Doctor:
    """Runs it as a person does, in a working copy; a scenario runs once, however many tests look at it."""

    def __init__(self, bench: Workbench, folder: Path) -> None:
        self.bench = bench
        self.folder = folder
        self._reports: dict[str, Report] = {}

    def once(self, scenario: Callable[["Doctor"], Report]) -> Report:
        name = scenario.__name__
        if name not in self._reports:
            self._reports[name] = scenario(self)
        return self._reports[name]

    def examine(
        self,
        *stacks: str,
        env: dict[str, str] | None = None,
        without: tuple[str, ...] = (),
        cwd: Path | None = None,
    ) -> Report:
        argv = [sys.executable, "-m", "pipeline", "doctor", *stacks, "--json"]
        argv += ["--config-file", str(self.bench.folder / PATTERN if cwd else PATTERN)]
        given = {**self.bench.env, "PYTHONPATH": str(self.bench.folder), **(env or {})}
        done = subprocess.run(
            argv, cwd=cwd or self.bench.folder, capture_output=True, text=True, check=False, timeout=600,
            env={name: value for name, value in given.items() if name not in without},
        )  # fmt: skip
        assert not done.stderr, done.stderr
        said = json.loads(done.stdout)
        assert said["ready"] is (done.returncode == 0)
        for one in said["findings"]:
            assert one["status"] == "ok" or (one["cause"] and one["cure"]), one
        return Report(done.returncode, said["findings"])

    def programs(self, *names: str) -> Path:
        """A folder for PATH with only these of our tools, and what the system has."""
        folder = self.folder / f"bin-{'-'.join(names)}"
        folder.mkdir(exist_ok=True)
        for name in names:
            tool = shutil.which(name, path=self.bench.env["PATH"])
            assert tool is not None
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(tool)
        return folder


@pytest.fixture(scope="module")
def doctor(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Doctor:
    return Doctor(bench, tmp_path_factory.mktemp("doctor"))


def well(doctor: Doctor) -> Report:
    doctor.bench.forget_calls()
    return doctor.examine("dev", "prod")


def bare_machine(doctor: Doctor) -> Report:
    """No Packer, no Ansible, no plugins, and nobody has logged in."""
    (doctor.folder / "home").mkdir(exist_ok=True)
    path = f"{doctor.programs('pulumi')}:/usr/bin:/bin"
    env = {"PATH": path, "PULUMI_HOME": str(doctor.folder / "home"), "HOME": str(doctor.folder / "home")}
    return doctor.examine("dev", env=env, without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


def out_of_reach(doctor: Doctor) -> Report:
    """An old Packer; neither AWS nor the state answers."""
    old = doctor.folder / "old"
    old.mkdir(exist_ok=True)
    (old / "packer").write_text("#!/bin/sh\necho 'Packer v1.9.0'\n")
    (old / "packer").chmod(0o755)
    env = {
        "PATH": f"{old}{os.pathsep}{doctor.bench.env['PATH']}",
        "AWS_ENDPOINT_URL": NOWHERE,
        "PULUMI_BACKEND_URL": f"file://{doctor.folder / 'no-state'}",
    }
    return doctor.examine("dev", env=env)


@contextmanager
def edited(bench: Workbench) -> Iterator[None]:
    text = (bench.folder / DEV).read_text()
    yield
    (bench.folder / DEV).write_text(text)


def wrong_files(doctor: Doctor) -> Report:
    """A stack file that names what is not there, and Packer without plugins."""
    (doctor.folder / "none").mkdir(exist_ok=True)
    with edited(doctor.bench):
        doctor.bench.edit(DEV, r"    subnetId: .*", "    subnetId: subnet-0123456789abcdef0")
        doctor.bench.edit(DEV, r"source_image_name: .*", "source_image_name: nothing-*")
        return doctor.examine("dev", "staging", env={"PACKER_PLUGIN_PATH": str(doctor.folder / "none")})


def source(ec2: Any) -> str:
    """The lab's public source image."""
    image: str = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    return image


def ill_account(doctor: Doctor) -> Report:
    """The route is gone, a bake was killed here, and the identity may neither read channels nor start machines."""
    ec2 = doctor.bench.client("ec2")
    table = next(t for t in ec2.describe_route_tables()["RouteTables"] if t["Associations"])
    way = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": "0.0.0.0/0"}
    gateway = next(r["GatewayId"] for r in table["Routes"] if r["DestinationCidrBlock"] == "0.0.0.0/0")
    tags = [{"ResourceType": kind, "Tags": TAGS} for kind in ("instance", "key-pair")]
    ec2.create_key_pair(KeyName="packer_0a1b", TagSpecifications=tags[1:])
    builder = ec2.run_instances(
        ImageId=source(ec2), InstanceType="t3.micro", MinCount=1, MaxCount=1, TagSpecifications=tags[:1]
    )["Instances"][0]["InstanceId"]
    ec2.delete_route(**way)
    try:
        doctor.bench.set_faults(
            {"action": "GetParameterHistory", "kind": "error", "code": "AccessDeniedException", "times": 9},
            {
                "action": "RunInstances",
                "kind": "error",
                "code": "UnauthorizedOperation",
                "status": 403,
                "times": 9,
            },
        )
        return doctor.examine("dev")
    finally:
        doctor.bench.set_faults()
        ec2.create_route(**way, GatewayId=gateway)
        ec2.terminate_instances(InstanceIds=[builder])
        ec2.delete_key_pair(KeyName="packer_0a1b")


def killed_update(doctor: Doctor) -> Report:
    """An update that was killed while it moved the pointer."""
    bench = doctor.bench
    ec2 = bench.client("ec2")
    # A copy: no machine ever boots from it, so none is needed to make it.
    image = ec2.copy_image(SourceImageId=source(ec2), SourceRegion="eu-west-1", Name=ROLE)["ImageId"]
    tags = {"Role": ROLE, "Validated": EVIDENCE}
    ec2.create_tags(Resources=[image], Tags=[{"Key": key, "Value": tags[key]} for key in tags])
    lines = ["aws:region: eu-west-1", f"golden-image:role: {ROLE}", "golden-image:channel: prod"]
    text = "".join(f"  {line}\n" for line in [*lines, f"golden-image:image: {image}"])
    bench.stack_file("killed").write_text(f"config:\n{text}")
    bench.set_faults({"action": "PutParameter", "kind": "hold"})
    process = bench.start(*bench.pulumi_argv("up", "killed", "--yes", "--skip-preview"))
    with process:
        while not bench.struck():
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            time.sleep(0.2)
        process.kill()
    bench.set_faults()
    return doctor.examine("killed")


def elsewhere(doctor: Doctor) -> Report:
    folder = doctor.folder / "elsewhere"
    folder.mkdir(exist_ok=True)
    return doctor.examine("dev", cwd=folder, without=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


class TestWell:
    def test_the_lab_is_ready(self, doctor: Doctor) -> None:
        report = doctor.once(well)
        assert report.status == 0
        assert not report.failed()
        assert "owner 136693071363" in report.of("source image", "ok")["seen"]
        assert "route out by igw-" in report.of("subnet of the validation machines", "ok")["seen"]
        assert "in account 123456789012" in report.of("credentials", "ok")["seen"]

    def test_nothing_is_left_unchecked(self, doctor: Doctor) -> None:
        assert "not checked" not in {one["seen"] for one in doctor.once(well).findings}

    def test_nothing_was_changed(self, doctor: Doctor) -> None:
        doctor.once(well)
        changes = [
            call
            for call in doctor.bench.calls()
            if not call["action"].startswith(("Describe", "Get", "List"))
        ]
        assert changes, "dry runs"
        assert all(call["status"] >= 400 for call in changes), changes


@pytest.mark.parametrize(
    ("scenario", "check", "status", "seen", "cause", "cure"),
    [
        (bare_machine, "packer", "fail", "not on PATH", "1.12.0 or newer", "make setup"),
        (bare_machine, "ansible-playbook", "fail", "not on PATH", "the bake", ".venv/bin first on PATH"),
        (bare_machine, "gitleaks", "fail", "not on PATH", "8.25.0 or newer", "make setup"),
        (bare_machine, "pulumi plugins", "fail", "missing: aws 7.51.1", "forbids", "pulumi plugin install"),
        (bare_machine, "credentials", "fail", "Unable to locate credentials", "no credentials", "aws configure"),
        (out_of_reach, "packer", "fail", "1.9.0", "1.12.0 or newer", "install Packer 1.14"),
        (out_of_reach, "credentials", "fail", NOWHERE, "AWS was not reached", "AWS_ENDPOINT_URL"),
        (out_of_reach, "state backend", "fail", "no-state", "cannot reach its state", "PULUMI_BACKEND_URL"),
        (wrong_files, "subnet of the validation machines", "fail", "subnet-0123456789abcdef0", "no such subnet", DEV),
        (wrong_files, "source image", "fail", "nothing-*", "matches no image", "source_image_name"),
        (wrong_files, "stack file", "fail", "Pulumi.staging.yaml", "cannot be read", "--config-file"),
        (wrong_files, "template", "warn", "hashicorp/amazon", "needs github.com", "packer init"),
        (ill_account, "subnet of the builder", "fail", SUBNET_ID, "installs packages", "a route 0.0.0.0/0"),
        (ill_account, "channel", "fail", "AccessDeniedException", "history", "policies"),
        (ill_account, "permissions", "fail", "ec2:RunInstances", "policies", "iam/bake.json"),
        (ill_account, "leftovers of bakes", "warn", "packer_0a1b", "interrupted", "aws ec2 terminate-instances"),
        (killed_update, "state", "warn", "creating ", "was killed", "--clear-pending-creates --stack killed"),
        (elsewhere, "project", "fail", "no Pulumi.yaml", "project's folder", "run this from there"),
        (elsewhere, "packages", "fail", "no .venv", ".venv", "make setup"),
        (elsewhere, "template", "fail", "no *.pkr.hcl in packer/", "no Packer template", "project's folder"),
    ],
)  # fmt: skip
def test_a_fault_is_found(  # noqa: PLR0917 - a row of the table
    scenario: Callable[[Doctor], Report],
    check: str,
    status: str,
    seen: str,
    cause: str,
    cure: str,
    doctor: Doctor,
) -> None:
    report = doctor.once(scenario)
    assert report.status == (1 if report.failed() else 0)
    finding = report.of(check, status)
    assert seen in finding["seen"]
    assert cause in finding["cause"]
    assert cure in finding["cure"]


def test_what_depends_on_credentials_is_one_fault(doctor: Doctor) -> None:
    report = doctor.once(out_of_reach)
    assert report.failed() == {"packer", "credentials", "state backend"}
    asked = {one["check"] for one in report.findings}
    assert asked.isdisjoint({"permissions", "source image", "channel", "state", "leftovers of bakes"})


def test_the_cure_of_a_killed_update(doctor: Doctor) -> None:
    report = doctor.once(killed_update)
    # Pulumi itself names who holds the lock, and the command.
    refused = doctor.bench.up("killed")
    assert "the stack is currently locked by" in refused.output
    assert "pulumi cancel" in refused.output
    assert doctor.bench.run("pulumi", "cancel", "--yes", "--stack", "killed").status == 0
    cure = report.of("state", "warn")["cure"].rpartition("Then ")[2]
    # Without a terminal, as in a pipeline.
    assert doctor.bench.run(*cure.split(), "--non-interactive").status == 0
    assert "nothing pending" in doctor.examine("killed").of("state", "ok")["seen"]
    run = doctor.bench.up("killed")
    assert run.status == 0
    assert "pending" not in run.output


def test_for_people(doctor: Doctor) -> None:
    run = doctor.bench.run("python", "-m", "pipeline", "doctor", "nosuch", "--config-file", PATTERN)
    assert run.status == 1
    assert "FAIL" in run.output
    assert "because: the stack file cannot be read" in run.output
    assert "not ready: 1 failed check" in run.output
