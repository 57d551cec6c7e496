"""The whole life of an image, in order: each test goes on where the one before it ended."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Machine, Workbench
from tests.e2e.conftest import clear_images

ROLE = "web"
CLONES = 2
HEALTH = r"^(\s*return) 200 (\"ok|'ok)"


@dataclass
class Life:
    """What the tests of this file hand on to each other."""

    bench: Workbench
    images: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def there(self) -> set[str]:
        """Our images, but those of other files."""
        found = self.bench.client("ec2").describe_images(Owners=["self"])["Images"]
        return {image["ImageId"] for image in found} - self.others

    def image(self, image_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bench.client("ec2").describe_images(ImageIds=[image_id])["Images"][0]
        return found

    def tags(self, image_id: str) -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in self.image(image_id).get("Tags", [])}

    def template(self, stack: str) -> tuple[int, str]:
        """Newest version of the stack's launch template, and the image it holds."""
        outputs = self.bench.outputs(stack)
        ec2 = self.bench.client("ec2")
        found = ec2.describe_launch_template_versions(
            LaunchTemplateId=outputs["launchTemplateId"], Versions=["$Latest"]
        )["LaunchTemplateVersions"][0]
        assert found["VersionNumber"] == outputs["launchTemplateVersion"]
        assert found["DefaultVersion"]
        return found["VersionNumber"], found["LaunchTemplateData"]["ImageId"]

    def served(self) -> dict[str, str]:
        """What a machine launched from prod's launch template serves."""
        version, _ = self.template("prod")
        machine: Machine = self.bench.launch(self.bench.outputs("prod")["launchTemplateId"], str(version))
        try:
            return machine.version()
        finally:
            machine.terminate()

    def prod(self) -> tuple[str | None, list[str], tuple[int, str]]:
        """All that says what production is: pointer, tag, launch template."""
        return self.bench.pointer(ROLE, "prod"), self.bench.holders(ROLE, "prod"), self.template("prod")


@pytest.fixture(scope="module")
def life(bench: Workbench) -> Iterator[Life]:
    clear_images(bench)
    life = Life(bench)
    life.others = life.there()
    yield life
    for stack in ("prod", "dev"):
        bench.run(*bench.pulumi_argv("destroy", stack, "--yes", "--skip-preview"))


def changes(output: str) -> bool:
    return any(word in output for word in ("to create", "to update", "to replace", "to delete"))


def test_dev_bakes_validates_and_promotes(life: Life) -> None:
    before = life.bench.preview("dev")
    assert before.status == 0
    assert not life.there(), "a preview never bakes"
    up = life.bench.up("dev")
    assert up.status == 0
    assert "Creating AMI" in up.output, "the bake's progress is shown"
    outputs = life.bench.outputs("dev")
    image = outputs["imageId"]
    life.images["1.0.0"] = image
    tags = life.tags(image)
    assert tags["Role"] == ROLE
    assert tags["ManagedBy"] == "packer"
    assert tags["ImageVersion"] == "1.0.0"
    assert tags["SourceImage"].startswith("ami-")
    assert len(tags["GitCommit"]) == 40
    assert len(tags["BakeKey"]) == 32
    assert tags["Validated"] == outputs["validated"]
    assert tags["ImageChannel"] == "candidate"
    assert life.bench.pointer(ROLE, "candidate") == image


def test_after_success_no_validation_machine_runs_and_no_builder_is_left(life: Life) -> None:
    ec2 = life.bench.client("ec2")

    def alive() -> list[dict[str, Any]]:
        return [
            instance
            for reservation in ec2.describe_instances()["Reservations"]
            for instance in reservation["Instances"]
            if instance["State"]["Name"] != "terminated"
        ]

    # An update asks for it, and does not wait for it.
    ids = [instance["InstanceId"] for instance in alive()]
    ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    instances = alive()
    purposes = [{tag["Key"]: tag["Value"] for tag in instance["Tags"]}["Purpose"] for instance in instances]
    assert purposes == ["validation"] * CLONES
    assert {instance["State"]["Name"] for instance in instances} == {"stopped"}
    disks = [disk["Ebs"]["VolumeId"] for instance in instances for disk in instance["BlockDeviceMappings"]]
    tagged = [{"Name": "tag:Purpose", "Values": ["validation"]}, {"Name": "tag:Role", "Values": [ROLE]}]
    found = ec2.describe_volumes(VolumeIds=disks, Filters=tagged)["Volumes"]
    assert sorted(volume["VolumeId"] for volume in found) == sorted(disks)
    assert not [key for key in ec2.describe_key_pairs()["KeyPairs"] if key["KeyName"].startswith("packer")]


def test_the_key_of_the_validation_is_secret_in_the_state(life: Life) -> None:
    argv = ["pulumi", "stack", "export", "--stack", "dev"]
    exported = json.loads(life.bench.run(*argv).output)
    assert "PRIVATE KEY" not in json.dumps(exported)


def test_prod_promotes_and_a_launched_machine_serves(life: Life) -> None:
    image = life.images["1.0.0"]
    assert life.bench.up("prod").status == 0
    assert life.prod() == (image, [image], (1, image))
    page = life.served()
    assert page["version"] == "1.0.0"
    assert page["build"] == life.tags(image)["BakeKey"]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_right_after_up_there_is_nothing_to_do(life: Life, stack: str) -> None:
    preview = life.bench.preview(stack, "--expect-no-changes")
    assert preview.status == 0
    assert "unchanged" in preview.output


def test_a_second_version_shows_in_the_previews_and_arrives(life: Life) -> None:
    old = life.images["1.0.0"]
    life.bench.set_version("1.1.0")
    preview = life.bench.preview("dev")
    assert preview.status == 0
    assert "build-bake" in preview.output
    assert len(life.there()) == 1
    assert life.bench.up("dev").status == 0
    new = life.images["1.1.0"] = life.bench.outputs("dev")["imageId"]
    assert new != old

    preview = life.bench.preview("prod")
    assert f'imageId: "{old}" => "{new}"' in preview.output
    assert f"channel prod: {old} (web-base-" in preview.output, "in words, too"
    assert life.prod() == (old, [old], (1, old)), "a preview changes nothing"
    assert life.bench.up("prod").status == 0
    assert life.prod() == (new, [new], (2, new))
    assert life.served()["version"] == "1.1.0"


def test_a_broken_version_stops_at_validation(life: Life) -> None:
    prod, candidate = life.prod(), life.bench.pointer(ROLE, "candidate")
    dev_template = life.template("dev")
    life.bench.edit("packer/roles/web/templates/site.conf.j2", HEALTH, r"\1 500 \2")
    life.bench.set_version("1.2.0")
    up = life.bench.up("dev")
    assert up.status != 0
    assert "test_health" in up.output
    assert "(500, 'ok\\n')" in up.output
    assert "Traceback" not in up.output
    assert life.bench.pointer(ROLE, "candidate") == candidate
    newest = life.bench.client("ec2").describe_launch_template_versions(
        LaunchTemplateName=life.bench.client("ec2").describe_launch_templates()["LaunchTemplates"][0][
            "LaunchTemplateName"
        ]
    )
    assert newest["LaunchTemplateVersions"][0]["LaunchTemplateData"]["ImageId"] in life.images.values()
    assert dev_template[1] == candidate
    assert life.bench.preview("prod", "--expect-no-changes").status == 0
    assert life.bench.up("prod").status == 0
    assert life.prod() == prod


def test_a_line_of_config_rolls_back(life: Life) -> None:
    good = life.images["1.0.0"]
    images = life.bench.client("ec2").describe_images(Owners=["self"])["Images"]
    stack_file = str(life.bench.stack_file("prod"))
    before = life.bench.stack_file("prod").read_text().splitlines()
    picked = life.bench.run("python", "-m", "pipeline", "rollback", "prod", "--config-file", stack_file)
    assert picked.status == 0
    after = life.bench.stack_file("prod").read_text().splitlines()
    assert [line for line in after if line not in before] == [f"  golden-image:image: {good}"]
    assert [line for line in before if line not in after] == []
    assert life.bench.pointer(ROLE, "prod") == life.images["1.1.0"], "the command touches nothing in AWS"

    preview = life.bench.preview("prod")
    assert f"channel candidate holds a newer image, {life.images['1.1.0']}" in preview.output
    up = life.bench.up("prod")
    assert up.status == 0
    assert "packer" not in up.output.lower()
    assert life.prod() == (good, [good], (3, good))
    assert life.served()["version"] == "1.0.0"
    assert len(images) == len(life.bench.client("ec2").describe_images(Owners=["self"])["Images"])
    for image in life.images.values():
        assert "Validated" in life.tags(image), "evidence stays, also on a displaced image"


def test_unchanged_content_is_adopted_by_a_stack_without_state(life: Life, tmp_path: Path) -> None:
    life.bench.edit("packer/roles/web/templates/site.conf.j2", r"^(\s*return) 500 ", r"\1 200 ")
    life.bench.set_version("1.1.0")
    empty = {"PULUMI_BACKEND_URL": f"file://{tmp_path}"}
    life.bench.run("pulumi", "stack", "init", "dev", env=empty)
    argv = life.bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")
    up = life.bench.run(*argv, env=empty)
    assert up.status == 0
    assert f"adopting {life.images['1.1.0']}" in up.output
    assert "Creating AMI" not in up.output
    destroyed = life.bench.run(*life.bench.pulumi_argv("destroy", "dev", "--yes"), env=empty)
    assert destroyed.status == 0


def test_destroy_leaves_the_images_and_nothing_else(life: Life) -> None:
    for stack in ("dev", "prod"):
        run = life.bench.run(*life.bench.pulumi_argv("destroy", stack, "--yes", "--skip-preview"))
        assert run.status == 0
    ec2 = life.bench.client("ec2")
    states = {
        instance["State"]["Name"]
        for reservation in ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
    assert states <= {"terminated"}
    assert ec2.describe_key_pairs()["KeyPairs"] == []
    groups = ec2.describe_security_groups()["SecurityGroups"]
    assert {group["GroupName"] for group in groups} == {"default"}
    assert ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert life.bench.pointer(ROLE, "prod") is None
    kept = {image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]}
    assert set(life.images.values()) <= kept
