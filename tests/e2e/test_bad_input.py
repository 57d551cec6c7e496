"""Bad input: one clear error, a status that is not zero, nothing changed downstream, nothing left behind."""

import contextlib
import html
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from pipeline.aws.patience import SHORT
from tests.e2e.forge import Forge

ROLE = "web"
CLONES = 2
PROD = "lab/stacks/Pulumi.prod.yaml"
DEV = "lab/stacks/Pulumi.dev.yaml"
NO_ROLE = "image_role is 'nowhere', which does not exist; the roles are web"


def account(bench: Workbench) -> dict[str, Any]:
    """What an error must not change."""
    ec2 = bench.client("ec2")
    return {
        "candidate": bench.pointer(ROLE, "candidate"),
        "prod": bench.pointer(ROLE, "prod"),
        "holders": bench.holders(ROLE, "prod"),
        "templates": [
            (template["LaunchTemplateId"], template["LatestVersionNumber"])
            for template in ec2.describe_launch_templates()["LaunchTemplates"]
        ],
        "images": sorted(image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]),
        "running": [
            instance["InstanceId"]
            for reservation in ec2.describe_instances(
                Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
            )["Reservations"]
            for instance in reservation["Instances"]
        ],
        "packer": [
            key["KeyName"] for key in ec2.describe_key_pairs()["KeyPairs"] if "packer" in key["KeyName"]
        ],
    }


NOISE = re.compile(r"Traceback|RuntimeWarning|never awaited|tracemalloc|/asyncio/")

FRAME = re.compile(
    r"(?:Previewing update .*|@ .*|Resources:| +\d+ errored|==> AWS: \w+ is tried again for .*|)\n"
)
"""What a preview that shows its changes prints beside the error: its frame, and a word on a call that is made again."""


def refused(run: Run, *texts: str) -> None:
    """It failed, said all of this, and said it once and without a traceback."""
    assert run.status != 0
    for text in texts:
        assert text in run.output
    assert not NOISE.search(run.output)
    if run.output.startswith("Previewing update") and "Diagnostics:" not in run.output:
        alone = "".join(line for line in run.output.splitlines(keepends=True) if not FRAME.fullmatch(line))
        assert re.fullmatch(r"error: .*\n(?:  .*\n)*", alone), alone


@pytest.fixture(scope="module")
def _ups(bench: Workbench) -> None:
    """Dev and prod hold a good image."""
    for stack in ("dev", "prod"):
        assert bench.up(stack).status == 0


@pytest.fixture
def good(bench: Workbench, _ups: None) -> Iterator[dict[str, Any]]:
    """The account holds a good image, and is the same afterwards; the project's files are put back."""
    before = account(bench)
    kept = {path: (bench.folder / path).read_text() for path in (PROD, DEV, "packer/image.pkr.hcl")}
    yield before
    for path, text in kept.items():
        (bench.folder / path).write_text(text)
    assert account(bench) == before


@pytest.mark.usefixtures("good")
class TestInPreview:
    def test_a_misspelt_key(self, bench: Workbench) -> None:
        bench.edit(PROD, r"golden-image:channel:", "golden-image:chanel:")
        refused(
            bench.preview("prod"),
            "golden-image:chanel is not a known key (did you mean channel?)",
            "Pulumi.prod.yaml",
        )

    def test_a_misspelt_template_variable(self, bench: Workbench) -> None:
        bench.edit(DEV, "image_version:", "image_verison:")
        refused(
            bench.preview("dev"),
            "did you mean image_version?",
            "golden-image:bake.variables in Pulumi.dev.yaml",
        )

    def test_a_channel_that_holds_nothing(self, bench: Workbench) -> None:
        bench.edit(PROD, r"golden-image:from: .*", "golden-image:from: staging")
        refused(
            bench.preview("prod"),
            "channel staging holds no image for role web yet",
            "/golden-image/web/staging",
            "golden-image:from or golden-image:image in Pulumi.prod.yaml",
        )

    def test_a_pin_that_does_not_exist(self, bench: Workbench) -> None:
        bench.pin("prod", "ami-0123456789abcdef0")
        refused(
            bench.preview("prod"),
            "the pinned image ami-0123456789abcdef0 does not exist",
            "golden-image:image",
        )

    def test_the_lab_is_not_running(self, bench: Workbench) -> None:
        run = bench.run(*bench.pulumi_argv("preview", "prod"), env={"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
        refused(run, "AWS was not reached", "http://127.0.0.1:9", "AWS_ENDPOINT_URL")

    def test_an_endpoint_that_never_answers(self, bench: Workbench) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            run = bench.run(*bench.pulumi_argv("preview", "prod"), env={"AWS_ENDPOINT_URL": url})
            tries = waiting(silent)
        refused(run, "AWS was not reached", url, "AWS_ENDPOINT_URL")
        assert 0 < tries <= 1 + SHORT.seconds // SHORT.read, "somebody sits and waits"


def waiting(server: socket.socket) -> int:
    """How many connections nobody has accepted."""
    server.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


@pytest.mark.usefixtures("good")
class TestInUpdate:
    def test_a_template_that_is_not_valid(self, bench: Workbench) -> None:
        bench.edit("packer/image.pkr.hcl", r"ami_name        =", "ami_nam         =")
        refused(bench.up("dev"), "the Packer template is not valid", "ami_nam")

    def test_a_playbook_that_fails(self, bench: Workbench) -> None:
        bench.edit("packer/image.pkr.hcl", r"image_role    = var.image_role", 'image_role    = "nowhere"')
        refused(bench.up("dev"), "the bake failed: a task of the playbook failed", NO_ROLE, "packer.log")

    def test_a_source_image_that_does_not_exist(self, bench: Workbench) -> None:
        bench.edit(DEV, r"source_image_name: .*", "source_image_name: nothing-*")
        refused(bench.up("dev"), "the source image filter matches no image", "source_image_name")


def test_a_machine_that_never_answers(bench: Workbench, good: dict[str, Any], tmp_path: Path) -> None:
    bench.edit(DEV, "timeoutSeconds: .*", "timeoutSeconds: 10")
    bench.set_version("10.1.0")
    image = Forge(bench, tmp_path).image(good["candidate"], "systemctl mask ssh ssh.socket")
    refused(
        bench.up("dev"),
        "never answered on TCP port 22",
        "the last lines of its console",
    )
    # The machines stay for a look; those of a fixed image then take their place.
    assert len(account(bench)["running"]) == len(good["running"]) + CLONES
    assert bench.pointer(ROLE, "candidate") == good["candidate"]
    bench.client("ec2").deregister_image(ImageId=image)
    bench.set_version("1.0.0")
    # Ten seconds are too few for all checks of a good image on a busy machine.
    bench.edit(DEV, "timeoutSeconds: .*", "timeoutSeconds: 120")
    assert bench.up("dev").status == 0


@pytest.mark.usefixtures("_ups")
def test_a_hostile_value_is_text_all_the_way(bench: Workbench, tmp_path: Path) -> None:
    effect = tmp_path / "effect"
    hostile = (
        f"6.6 $(touch {effect}) `touch {effect}`; touch {effect} '\"<script>alert(1)</script> "
        '${file("/etc/passwd")} %{ if true } *b* [a](//evil) | @everybody é'
    )
    file = bench.folder / DEV
    file.write_text(file.read_text().replace("image_version: 1.0.0", f"image_version: {json.dumps(hostile)}"))
    note = bench.run("python", "-m", "pipeline", "note", "dev", "--config-file", DEV)
    assert note.status == 0
    assert "A bake will run" in note.output
    assert "<script" not in re.sub(r"(?ms)^```diff\n.*?^```$", "", note.output)
    assert bench.up("dev").status == 0
    outputs = bench.outputs("dev")
    image = bench.client("ec2").describe_images(ImageIds=[outputs["imageId"]])["Images"][0]
    assert {tag["Key"]: tag["Value"] for tag in image["Tags"]}["ImageVersion"] == hostile
    machine = bench.launch(outputs["launchTemplateId"], str(outputs["launchTemplateVersion"]))
    assert machine.version()["version"] == hostile
    page = machine.get("/").text
    assert "<script" not in page
    assert html.escape("<script>alert(1)</script>") in page
    machine.terminate()
    assert not effect.exists()
