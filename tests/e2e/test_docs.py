"""docs/first-image.md, run: each command of its shell blocks, in order, with the lab's values for the account's."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import surroundings
from lab.workbench import PROJECT, Run, Workbench
from tests.e2e.forge import Forge

TEXT = "docs/first-image.md"
ROLE = "web"
MACHINES = 2

VALUES = {
    "subnet-0123456789abcdef0": "subnet-01ab01ab01ab01ab0",
    "s3://example-golden-image-state?region=eu-west-1": "{state}",
    "a long passphrase of your own": "a passphrase of this test",
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef": "{target group}",
}
"""What the text says to what it is in the lab; each must occur."""

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "lab"), ("EMAIL", "lab@localhost"))
}

CHANGED = 'git commit -q -a -m "A smaller journal"'
"""After it, the second image is made of the first, which takes seconds, and adopted as its bake."""


def own_values(bench: Workbench, stack: str) -> str:
    """The stack file of this account: source image, user, how its machines are reached; without a salt."""
    assert "encryptionsalt" not in (bench.folder / f"Pulumi.{stack}.yaml").read_text(), (
        "the salt of somebody else"
    )
    file = bench.stack_file(stack)
    # The lab's salt goes with the lab's passphrase.
    file.write_text(re.sub(r"^encryptionsalt: .*\n", "", file.read_text(), flags=re.MULTILINE))
    return file.read_text()


def sections(text: str) -> list[tuple[str, list[str]]]:
    """Heading and the commands under it."""
    found: list[tuple[str, list[str]]] = []
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```sh\n(.*?)^```$", part, flags=re.MULTILINE | re.DOTALL)
        found.append((part.splitlines()[0], [line for block in blocks for line in block.splitlines()]))
    return found


class Reader:
    """Somebody who does what the text says."""

    def __init__(self, bench: Workbench, folder: Path, target_group: str) -> None:
        self.bench = bench
        self.forge = Forge(bench, folder)
        self.images: list[str] = []
        here = {"{state}": self.state, "{target group}": target_group}
        self.values = {said: here.get(value, value) for said, value in VALUES.items()}
        bench.env |= IDENTITY
        # As it is after a clone: the set-up is the reader's.
        (bench.folder / ".venv").unlink()
        shutil.rmtree(bench.folder / ".tools")
        path = bench.env["PATH"].split(os.pathsep)
        bench.env["PATH"] = os.pathsep.join(entry for entry in path if not entry.startswith(str(PROJECT)))
        for stack in ("dev", "prod"):
            (bench.folder / f"Pulumi.{stack}.yaml").write_text(
                re.sub(r"^ +subnet_?[Ii]d: .*\n", "", own_values(bench, stack), flags=re.MULTILINE)
            )
        bench.commit("This account's stack files")

    @property
    def state(self) -> str:
        return self.bench.env["PULUMI_BACKEND_URL"]

    def type(self, line: str) -> Run:
        """Run a line in a shell; what it exports is there in the next."""
        for said, here in self.values.items():
            line = line.replace(said, here)
        exported = re.match(r"export (\w+)=", line)
        run = self.bench.run("bash", "-euc", f'{line}; printf %s "${exported[1]}"' if exported else line)
        if exported and run.status == 0:
            self.bench.env[exported[1]] = run.output
        return run

    def follow(self, commands: list[str]) -> dict[str, Run]:
        runs = {}
        for line in commands:
            run = runs[line] = self.type(line)
            assert run.status == 0, line
            if line == CHANGED:
                self.forge.image(self.images[0], "true")
        return runs

    def holds(self, stack: str, channel: str, image: str) -> None:
        """Pointer, tag and launch template name the image."""
        assert self.bench.pointer(ROLE, channel) == image
        outputs = self.bench.outputs(stack)
        template = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=outputs["launchTemplateId"], Versions=["$Default"]
        )["LaunchTemplateVersions"][0]
        assert template["LaunchTemplateData"]["ImageId"] == image
        assert template["VersionNumber"] == outputs["launchTemplateVersion"]

    def runs(self, image: str) -> None:
        """The machines of prod's group run the image, and the load balancer sends requests to them."""
        (group,) = self.bench.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        ids = [one["InstanceId"] for one in group["Instances"]]
        found = self.bench.client("ec2").describe_instances(InstanceIds=ids)["Reservations"]
        assert [one["ImageId"] for each in found for one in each["Instances"]] == [image] * MACHINES
        (arn,) = group["TargetGroupARNs"]
        assert surroundings.healths(self.bench.settings, arn) == ["healthy"] * MACHINES


@pytest.fixture(scope="module")
def reader(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    target_group = surroundings.target_group(bench.settings)
    yield Reader(bench, tmp_path_factory.mktemp("forge"), target_group)
    surroundings.remove_target_group(bench.settings, target_group)


def tells_of_itself(runs: dict[str, Run], outputs: dict[str, Any]) -> None:
    """The stack says what it holds, and is found by it."""
    about = runs["python -m pipeline about prod --tag"].output
    assert f"# Channel prod holds {outputs['imageName']}" in about
    assert "${" not in about
    assert "| previous image | `none` |" in about
    listed = runs["pulumi stack ls --tag golden-image:channel=prod"].output
    assert [line.split()[0].rstrip("*") for line in listed.splitlines()[1:] if line.strip()] == ["prod"]


def test_the_walk(reader: Reader) -> None:
    bench, text = reader.bench, (reader.bench.folder / TEXT).read_text()
    assert all(said in text for said in VALUES)
    walk = dict(sections(text))
    assert sum(map(len, walk.values())) > 20

    for heading in ("What you need", "A place for the state", "The stack files"):
        reader.follow(walk.pop(heading))
    assert "subnet-01ab01ab01ab01ab0" in (bench.folder / "Pulumi.dev.yaml").read_text()

    reader.follow(walk.pop("The first image"))
    first = bench.outputs("dev")["imageId"]
    reader.images.append(first)
    reader.holds("dev", "candidate", first)

    runs = reader.follow(walk.pop("Into prod"))
    reader.holds("prod", "prod", first)
    assert bench.holders(ROLE, "prod") == [first]
    outputs = bench.outputs("prod")
    tells_of_itself(runs, outputs)
    preview = bench.run("pulumi", "preview", "--stack", "prod", "--expect-no-changes", "--non-interactive")
    assert preview.status == 0, "the outputs are known without a change"

    reader.follow(walk.pop("A group of machines"))
    reader.holds("prod", "prod", first)
    reader.runs(first)

    runs = reader.follow(walk.pop("A change"))
    note = runs["python -m pipeline note dev prod"].output
    second = bench.outputs("dev")["imageId"]
    assert second != first
    assert f"### dev: web image `{first}`" in note
    assert re.search(rf"^No bake: `{second}` .* has the same content and is used\.$", note, re.MULTILINE)
    assert f"### prod: nothing to do; channel prod holds `{first}`" in note
    reader.holds("prod", "prod", second)
    reader.runs(second)
    for said in (f"{MACHINES} of {MACHINES} machines, {MACHINES} of them healthy", second, "Successful"):
        assert said in runs["python -m pipeline rollout prod"].output
    assert bench.outputs("prod")["previousImage"] == first

    runs = reader.follow(walk.pop("Roll back"))
    assert f"+  golden-image:image: {first}" in runs["git diff Pulumi.prod.yaml"].output
    reader.holds("prod", "prod", first)
    reader.runs(first)
    assert bench.holders(ROLE, "prod") == [first]
    assert bench.outputs("prod")["previousImage"] == second
    assert bench.outputs("prod")["imageSince"] > outputs["imageSince"]

    reader.follow(walk.pop("Keep a bad image out"))
    reader.holds("dev", "candidate", first)
    tags = bench.client("ec2").describe_images(ImageIds=[second])["Images"][0]["Tags"]
    revoked = {tag["Key"]: tag["Value"] for tag in tags}["Revoked"]
    assert revoked.startswith("the journal is too small (")

    reader.follow(walk.pop("Clean up"))
    assert bench.pointer(ROLE, "prod") is None
    assert bench.pointer(ROLE, "candidate") is None
    assert bench.holders(ROLE, "prod") == []
    kept = bench.client("ec2").describe_images(ImageIds=[first, second])["Images"]
    assert len(kept) == 2, "images stay"
    assert not any(walk.values()), f"never run: {walk}"
