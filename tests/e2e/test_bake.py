"""Bakes that fail, with cause and cure; bakes that meet another of the same content."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab.settings import LabSettings
from lab.workbench import Workbench
from tests.e2e.conftest import make_bench, remove_stacks
from tests.e2e.forge import Forge
from tests.e2e.registry import remove

ROLE = "web"
DEV = "lab/stacks/Pulumi.dev.yaml"


def fails(bench: Workbench, *texts: str) -> None:
    """An update of dev fails with all of this in its error, and leaves nothing."""
    before = own_images(bench)
    run = bench.up("dev")
    assert run.status != 0
    error = run.output[run.output.index("Diagnostics:") :]
    for text in texts:
        assert text in error
    if "TASK [" in error:
        assert "TASK [" in error.rpartition("the bake failed: ")[2], "the summary names the task"
    assert "Traceback" not in error
    assert bench.pointer(ROLE, "candidate") is None
    assert own_images(bench) == before
    assert builders(bench) == []


def own_images(bench: Workbench) -> list[str]:
    images = bench.client("ec2").describe_images(Owners=["self"])["Images"]
    return [
        image["ImageId"]
        for image in images
        if any(tag["Key"] in ("BakeKey", "BakeRun") for tag in image.get("Tags", []))
    ]


def builders(bench: Workbench) -> list[str]:
    filters = [
        {"Name": "tag:ManagedBy", "Values": ["packer"]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = bench.client("ec2").describe_instances(Filters=filters)["Reservations"]
    return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]


@pytest.fixture(autouse=True)
def _stack_file(bench: Workbench) -> Iterator[None]:
    text = (bench.folder / DEV).read_text()
    yield
    (bench.folder / DEV).write_text(text)


def test_a_wrong_user(bench: Workbench) -> None:
    bench.edit(DEV, r"ssh_username: admin", "ssh_username: ubuntu")
    bench.edit(DEV, r"ssh_timeout: 2m", "ssh_timeout: 12s")
    fails(
        bench,
        "the bake failed: Packer could not log in to the builder over SSH: wrong user",
        "ssh_username must be the source image's default user",
    )


def test_a_user_who_may_not_become_root(bench: Workbench, tmp_path: Path) -> None:
    ec2 = bench.client("ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    weak = Forge(bench, tmp_path).image(
        source,
        "sed -i '/sudo:/d; s/, sudo]/]/' /etc/cloud/cloud.cfg.d/90_lab.cfg\n"
        "sed -i '/sudo:/d; s/, sudo\\([],]\\)/\\1/' /etc/cloud/cloud.cfg\n"
        "cat > /usr/local/sbin/remove-user <<END\nuserdel -r admin\nEND\n"
        "rm -f /etc/sudoers.d/90-cloud-init-users; deluser admin sudo",
    )
    ec2.delete_tags(Resources=[weak], Tags=[{"Key": "BakeKey"}])
    name = ec2.describe_images(ImageIds=[weak])["Images"][0]["Name"]
    bench.edit(DEV, r"source_image_name: .*", f"source_image_name: {name}")
    bench.edit(DEV, r"source_image_owners: .*", "source_image_owners: [self]")
    fails(bench, "the SSH user may not become root on the builder", "sudo without a password")
    remove(ec2, weak)


def test_what_is_logged_after_the_clean_up_gets_into_no_image(bench: Workbench, tmp_path: Path) -> None:
    """A login, say: its log came back between clean.sh and verify-clean.sh. Also that of rsyslog, of Red Hat."""
    ec2 = bench.client("ec2")
    source = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*-lab"]}])["Images"][0]["ImageId"]
    clean, verify = (
        (bench.folder / f"packer/scripts/{name}.sh").read_text() for name in ("clean", "verify-clean")
    )
    script = (
        "apt-get -q update\nDEBIAN_FRONTEND=noninteractive apt-get -q -y install rsyslog\nlogger before\n"
        f"{clean}\nlogger somebody logs in\njournalctl --rotate\njournalctl --sync\nsleep 1\n{verify}"
    )
    remove(ec2, Forge(bench, tmp_path).image(source, script, clean=False))


def clear_up(bench: Workbench) -> None:
    """What a person has to remove after a machine died with a bake on it."""
    ec2 = bench.client("ec2")
    ec2.terminate_instances(InstanceIds=builders(bench))
    for pair in ec2.describe_key_pairs()["KeyPairs"]:
        if pair["KeyName"].startswith("packer_"):
            ec2.delete_key_pair(KeyName=pair["KeyName"])
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["GroupName"].startswith("packer_"):
            ec2.delete_security_group(GroupId=group["GroupId"])


def processes_of_the_bake(settings: LabSettings) -> list[psutil.Process]:
    """Packer, its plugins and the supervisor of this lab, wherever they have been orphaned to."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("AWS_ENDPOINT_URL") == settings.endpoint
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if ours and ("packer" in line or "pipeline.baking.supervisor" in line or "-m pipeline bake" in line):
            found.append(process)
    return found


def test_what_one_left_that_died_after_create_image_is_never_adopted(
    bench: Workbench, lab: LabSettings
) -> None:
    """As if the machine that baked had lost its power: nothing of it cleans up."""
    before = own_images(bench)
    bench.set_version("5.1.0")
    bench.forget_calls()
    process = bench.start(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
    with process:
        while not any(call["action"] == "CreateImage" for call in bench.calls()):
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
        # Held first: whoever outlives another by a moment would begin to clean up, and take the image back.
        dying = processes_of_the_bake(lab)
        for one in dying:
            one.suspend()
        os.killpg(process.pid, signal.SIGKILL)
        for one in dying:
            one.kill()
        assert process.stdout is not None
        process.stdout.read()
    (left,) = set(own_images(bench)) - set(before)
    clear_up(bench)
    assert bench.run("python", "-m", "lab", "unlock", "dev").status == 0
    up = bench.up("dev")
    assert up.status == 0
    assert "adopting" not in up.output
    (made,) = set(own_images(bench)) - {*before, left}
    assert bench.pointer(ROLE, "candidate") == made
    assert {"BakeKey", "BakeRun", "ImageVersion"} <= tags(bench, made).keys()
    # Packer may have come to write its own tags; the one that means finished is not Packer's.
    assert "BakeRun" in tags(bench, left)
    assert "BakeKey" not in tags(bench, left)


def test_an_image_that_ec2_does_not_know_yet_ends_the_bake_and_is_never_adopted(bench: Workbench) -> None:
    """The waiter of AWS's SDK 2 for Go, which the amazon plugin 1.8 uses, does not ask again."""
    before = own_images(bench)
    bench.set_version("5.4.0")
    bench.forget_calls()
    process = bench.start(*bench.pulumi_argv("up", "dev", "--yes", "--skip-preview"))
    with process:
        while not any(call["action"] == "StopInstances" for call in bench.calls()):
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            time.sleep(0.1)
        unknown = {
            "action": "DescribeImages",
            "kind": "error",
            "code": "InvalidAMIID.NotFound",
            "status": 400,
        }
        bench.set_faults(unknown)
        assert process.stdout is not None
        output = process.stdout.read()
    assert bench.struck() == ["DescribeImages"]
    bench.set_faults()
    assert process.returncode != 0
    assert "EC2 did not know the image yet" in output
    assert "Traceback" not in output
    # The list that is looked through after the bake may lag, and not have the image yet.
    for image in set(own_images(bench)) - set(before):
        assert "BakeKey" not in tags(bench, image)
    assert builders(bench) == []
    assert bench.up("dev").status == 0
    assert bench.pointer("web", "candidate") not in before


def tags(bench: Workbench, image: str) -> dict[str, str]:
    (found,) = bench.client("ec2").describe_images(ImageIds=[image])["Images"]
    return {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}


def test_the_image_is_encrypted_and_never_a_copy(bench: Workbench) -> None:
    ec2 = bench.client("ec2")
    bench.set_version("5.3.0")
    bench.forget_calls()
    assert bench.up("dev").status == 0
    made = bench.pointer(ROLE, "candidate")
    (image,) = ec2.describe_images(ImageIds=[made])["Images"]
    (disk,) = image["BlockDeviceMappings"]
    (snapshot,) = ec2.describe_snapshots(SnapshotIds=[disk["Ebs"]["SnapshotId"]])["Snapshots"]
    assert snapshot["Encrypted"]
    actions = [call["action"] for call in bench.calls()]
    assert actions.count("CreateImage") == 1
    assert "CopyImage" not in actions


@pytest.mark.usefixtures("lab")
def test_two_bakes_at_once_end_with_one_image_in_use(
    bench: Workbench, lab: LabSettings, tmp_path: Path
) -> None:
    """On two machines, so to say: each with a state of its own, and no lock between them."""
    other = make_bench(lab, tmp_path)
    other.env["XDG_STATE_HOME"] = str(tmp_path / "xdg")
    remove_stacks(bench)  # so that neither finds a channel that is the other's
    before = own_images(bench)
    both: list[Any] = []
    for one in (bench, other):
        one.set_version("5.2.0")
        both.append(one.start(*one.pulumi_argv("up", "dev", "--yes", "--skip-preview")))
    outputs = []
    for process in both:
        with process:
            outputs.append(process.stdout.read())
            sys.stdout.write(outputs[-1])
    assert [process.returncode for process in both] == [0, 0]
    images = [image for image in own_images(bench) if image not in before]
    assert len(images) == 2, "both have baked"
    used = bench.pointer(ROLE, "candidate")
    (spare,) = set(images) - {used}
    assert any(f"finished first: using {used}; {spare} is not used" in output for output in outputs)
    assert bench.holders(ROLE, "candidate") == [used]
    assert {one.outputs("dev")["imageId"] for one in (bench, other)} == {used}
    remove_stacks(other)
