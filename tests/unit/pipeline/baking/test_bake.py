"""One image for one key: baked, adopted, or refused."""

import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.security_groups import SecurityGroupBackend

from pipeline.baking import bake, packer
from pipeline.errors import PipelineError

REGION = "eu-west-1"
KEY = "0" * 32

WRITE_MANIFEST = """
pathlib.Path(variables["manifest_path"]).write_text(json.dumps({
    "last_run_uuid": "run-1",
    "builds": [{"name": "image", "packer_run_uuid": "run-1",
                "artifact_id": "eu-west-1:" + (here / "image").read_text()}],
}))
"""


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "bakeKey": KEY,
        "region": REGION,
        "variables": {
            "image_role": "web",
            "image_version": "1.0.0",
            "source_image_name": "source-*",
            "source_image_owners": ["self"],
        },
        "access": {"subnet_id": "subnet-1"},
        "timeoutMinutes": 60,
        **changes,
    }


def register(name: str, **tags: str) -> str:
    ec2 = boto3.client("ec2", region_name=REGION)
    image_id: str = ec2.register_image(Name=name, Architecture="x86_64")["ImageId"]
    if tags:
        ec2.create_tags(Resources=[image_id], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    # EC2 and moto count in seconds; here each is a second younger than the one before.
    images = ec2_backends["123456789012"][REGION].amis
    images[image_id].creation_date = datetime(2026, 1, 31, 12, 0, len(images), tzinfo=UTC)
    return image_id


def tags(image_id: str) -> dict[str, str]:
    (image,) = boto3.client("ec2", region_name=REGION).describe_images(ImageIds=[image_id])["Images"]
    return {tag["Key"]: tag["Value"] for tag in image.get("Tags", [])}


def register_source(name: str, root_device: str = "/dev/sda1") -> None:
    image = ec2_backends["123456789012"][REGION].amis[register(name)]
    image.root_device_type, image.virtualization_type, image.architecture = "ebs", "hvm", "x86_64"
    image.root_device_name = root_device


def launch(bake_id: str, name: str) -> None:
    """What Packer makes for a build."""
    ec2 = boto3.client("ec2", region_name=REGION)

    def tagged(kind: str) -> Any:
        wanted = [{"Key": "ManagedBy", "Value": "packer"}, {"Key": "BakeId", "Value": bake_id}]
        return [{"ResourceType": kind, "Tags": wanted}]

    ec2.create_key_pair(KeyName=name, TagSpecifications=tagged("key-pair"))
    group = ec2.create_security_group(
        GroupName=name, Description="builder", TagSpecifications=tagged("security-group")
    )["GroupId"]
    ec2.run_instances(
        ImageId=register(f"of {name}"),
        KeyName=name,
        SecurityGroupIds=[group],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=tagged("instance"),
    )


def made_by(bake_id: str) -> dict[str, list[str]]:
    ec2 = boto3.client("ec2", region_name=REGION)
    run: Any = [{"Name": "tag:BakeId", "Values": [bake_id]}]
    alive: Any = [
        *run,
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    return {
        "builders": [
            instance["InstanceId"]
            for reservation in ec2.describe_instances(Filters=alive)["Reservations"]
            for instance in reservation["Instances"]
        ],
        "key pairs": [pair["KeyName"] for pair in ec2.describe_key_pairs(Filters=run)["KeyPairs"]],
        "groups": [group["GroupId"] for group in ec2.describe_security_groups(Filters=run)["SecurityGroups"]],
        "images": [image["ImageId"] for image in ec2.describe_images(Filters=run)["Images"]],
    }


def refuse(*_: object, **__: object) -> None:
    raise EC2ClientError("OperationNotPermitted", "not today")


@pytest.fixture
def run_id(monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the next run."""
    monkeypatch.setattr(uuid, "uuid4", lambda: "run-1")
    return "run-1"


@pytest.fixture(autouse=True)
def _reads_that_do_not_lag(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bake, "LAG_SECONDS", 0.1)
    monkeypatch.setattr(packer, "REPORTS", tmp_path / "reports")


@pytest.fixture
def source(aws: None) -> None:
    register_source("source-1")


@pytest.mark.usefixtures("source")
class TestRun:
    def test_bakes(self, fake_packer: Callable[[str], Path], capfd: pytest.CaptureFixture[str]) -> None:
        folder = fake_packer("print('building', variables['bake_key'], flush=True)" + WRITE_MANIFEST)
        image_id = register("web-base-1", SourceImage="ami-source")
        (folder / "image").write_text(image_id)
        result = bake.run(plan())
        assert result["images"] == {REGION: image_id}
        assert result["adopted"] is False
        assert result["packerRunUuid"] == "run-1"
        assert result["sourceImage"] == "ami-source"
        assert f"building {KEY}" in capfd.readouterr().err

    def test_reads_that_lag_behind_what_packer_wrote(
        self, fake_packer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = fake_packer(WRITE_MANIFEST)
        image_id = register("web-base-1", SourceImage="ami-source")
        (folder / "image").write_text(image_id)
        original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]
        earlier: list[Callable[[dict[str, Any]], None]] = [
            lambda answer: answer.update(Images=[]),
            lambda answer: answer["Images"][0].update(State="pending"),
            lambda answer: answer["Images"][0].update(Tags=[]),
        ]

        def call(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
            answer = original(client, operation, arguments)
            if operation == "DescribeImages" and arguments.get("ImageIds") == [image_id] and earlier:
                earlier.pop(0)(answer)
            return answer

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        monkeypatch.setattr(bake, "LAG_SECONDS", 10.0)
        result = bake.run(plan())
        assert result["imageId"] == image_id
        assert result["sourceImage"] == "ami-source"
        assert not earlier

    def test_passes_all_variables_but_unset_ones(self, fake_packer: Callable[[str], Path]) -> None:
        folder = fake_packer("(here / 'seen').write_text(json.dumps(sorted(variables)))" + WRITE_MANIFEST)
        (folder / "image").write_text(register("web-base-1"))
        bake.run(plan(access={"subnet_id": None, "ssh_interface": "private_ip"}))
        seen = (folder / "seen").read_text()
        assert '"image_version"' in seen
        assert '"ssh_interface"' in seen
        assert '"subnet_id"' not in seen

    def test_adopts_the_oldest_with_this_key_and_runs_no_packer(
        self, fake_packer: Callable[[str], Path]
    ) -> None:
        folder = fake_packer("sys.exit(1)")
        first = register("web-base-1", BakeKey=KEY)
        register("web-base-2", BakeKey=KEY)
        result = bake.run(plan())
        assert (result["imageId"], result["adopted"]) == (first, True)
        assert not (folder / "calls").exists()

    def test_another_key_is_not_adopted(self, fake_packer: Callable[[str], Path]) -> None:
        folder = fake_packer(WRITE_MANIFEST)
        register("web-base-0", BakeKey="1" * 32)
        mine = register("web-base-1")
        (folder / "image").write_text(mine)
        assert bake.run(plan())["imageId"] == mine

    def test_of_two_bakes_at_once_the_one_that_ends_first_is_used(
        self, fake_packer: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder = fake_packer(
            "(here / 'started').touch()\nwhile not (here / 'go').exists(): time.sleep(0.01)" + WRITE_MANIFEST
        )
        with ThreadPoolExecutor(1) as pool:
            baking = pool.submit(bake.run, plan())
            while not (folder / "started").exists():
                assert not baking.done(), baking.result()
                time.sleep(0.01)
            mine = register("web-base-2", BakeRun=KEY)
            theirs = register("web-base-1", BakeRun=KEY, BakeKey=KEY)
            (folder / "image").write_text(mine)
            (folder / "go").touch()
            result = baking.result()
        assert (result["imageId"], result["images"]) == (theirs, {REGION: theirs})
        assert f"finished first: using {theirs}; {mine} is not used" in capfd.readouterr().err
        assert "BakeKey" not in tags(mine)

    @pytest.mark.parametrize("state", ["pending", "available", "failed"])
    def test_an_unfinished_image_is_never_adopted(
        self, fake_packer: Callable[[str], Path], state: str
    ) -> None:
        """It may be pending, without its other tags, or a concurrent bake's."""
        folder = fake_packer(WRITE_MANIFEST)
        left = register("web-base-1", BakeRun=KEY, ManagedBy="packer", Role="web")
        ec2_backends["123456789012"][REGION].amis[left].state = state
        mine = register("web-base-2", BakeRun=KEY)
        (folder / "image").write_text(mine)
        assert bake.run(plan())["imageId"] == mine
        assert tags(mine)["BakeKey"] == KEY
        assert "BakeKey" not in tags(left)

    def test_the_builder_is_given_the_root_device_of_its_source_image(
        self, fake_packer: Callable[[str], Path]
    ) -> None:
        folder = fake_packer(
            "(here / 'seen').write_text(variables['root_device_name'] + ' ' + variables['bake_id'])"
            + WRITE_MANIFEST
        )
        register_source("source-2", "/dev/xvda")
        (folder / "image").write_text(register("web-base-1"))
        bake.run(plan())
        device, run = (folder / "seen").read_text().split()
        assert device == "/dev/xvda"
        assert len(run) == 36

    def test_no_source_image(self, fake_packer: Callable[[str], Path]) -> None:
        folder = fake_packer(WRITE_MANIFEST)
        with pytest.raises(PipelineError) as caught:
            bake.run(
                plan(
                    variables={
                        "image_role": "web",
                        "source_image_name": "none-*",
                        "source_image_owners": ["self"],
                    }
                )
            )
        assert "the source image filter matches no image" in str(caught.value)
        assert "name none-*, owners self, x86_64, in eu-west-1" in str(caught.value)
        assert not (folder / "calls").exists()

    def test_packer_finds_the_ansible_of_this_environment(
        self, fake_packer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = fake_packer(
            "import shutil\n(here / 'seen').write_text(str(shutil.which('ansible-playbook')))"
            + WRITE_MANIFEST
        )
        (folder / "image").write_text(register("web-base-1"))
        monkeypatch.setenv("PATH", str(folder))
        bake.run(plan())
        assert (folder / "seen").read_text() == str(Path(sys.executable).parent / "ansible-playbook")

    def test_a_failed_build_says_why(self, fake_packer: Callable[[str], Path]) -> None:
        fake_packer("print('==> Timeout waiting for SSH.'); sys.exit(1)")
        with pytest.raises(PipelineError) as caught:
            bake.run(plan())
        assert "could not log in" in str(caught.value)
        assert "Timeout waiting for SSH." in str(caught.value)
        assert "packer.log" in str(caught.value)

    def test_after_the_limit_what_packer_left_is_removed(
        self, fake_packer: Callable[[str], Path], run_id: str
    ) -> None:
        """A Packer that does not even clean up, as without a network: builder, key pair, group and image go."""
        fake_packer("time.sleep(60)")
        launch(run_id, "packer_1")
        launch("another-run", "packer_2")
        register("web-base-1", BakeId=run_id, BakeRun=KEY)
        with pytest.raises(PipelineError) as caught:
            bake.run(plan(timeoutMinutes=0))
        text = str(caught.value)
        assert "did not end within 0 minutes, and was stopped" in text
        assert "golden-image:bake.timeoutMinutes" in text
        assert "still there" not in text
        assert made_by(run_id) == {"builders": [], "key pairs": [], "groups": [], "images": []}
        assert [len(found) for found in made_by("another-run").values()] == [1, 1, 1, 0]

    def test_a_builder_lives_longer_than_its_bake_and_its_clean_up(
        self, fake_packer: Callable[[str], Path]
    ) -> None:
        folder = fake_packer("(here / 'seen').write_text(str(variables['builder_minutes']))" + WRITE_MANIFEST)
        (folder / "image").write_text(register("web-base-1"))
        bake.run(plan(timeoutMinutes=60))
        assert 60 + packer.GRACE_SECONDS / 60 < int((folder / "seen").read_text()) <= 90

    def test_what_a_failed_packer_left_goes_too(
        self, fake_packer: Callable[[str], Path], run_id: str
    ) -> None:
        fake_packer("print('==> building'); sys.exit(1)")
        launch(run_id, "packer_1")
        with pytest.raises(PipelineError, match="the bake failed"):
            bake.run(plan())
        assert not any(made_by(run_id).values())

    def test_what_cannot_be_removed_is_named(
        self, fake_packer: Callable[[str], Path], run_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fake_packer("print('==> building'); sys.exit(1)")
        launch(run_id, "packer_1")
        monkeypatch.setattr(InstanceBackend, "terminate_instances", refuse)
        monkeypatch.setattr(SecurityGroupBackend, "delete_security_group", refuse)
        with pytest.raises(PipelineError) as caught:
            bake.run(plan())
        text = str(caught.value)
        left = made_by(run_id)
        assert left["key pairs"] == []
        assert "some of what it made is still there" in text
        for name in (*left["builders"], *left["groups"]):
            assert f"{name}: " in text
        assert "OperationNotPermitted" in text
        assert "python -m pipeline doctor" in text

    def test_a_finished_image_is_never_taken_back(
        self, fake_packer: Callable[[str], Path], run_id: str
    ) -> None:
        fake_packer("print('==> building'); sys.exit(1)")
        done = register("web-base-1", BakeId=run_id, BakeRun="other", BakeKey="other")
        with pytest.raises(PipelineError, match="the bake failed"):
            bake.run(plan())
        assert made_by(run_id)["images"] == [done]

    def test_a_build_without_manifest(self, fake_packer: Callable[[str], Path]) -> None:
        fake_packer("")
        with pytest.raises(PipelineError, match="wrote no manifest"):
            bake.run(plan())


@pytest.mark.parametrize("name", ["bakeKey", "region", "variables", "access", "timeoutMinutes"])
def test_an_incomplete_plan(name: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{name}'"):
        bake.run({key: value for key, value in plan().items() if key != name})


@pytest.mark.usefixtures("source")
def test_no_packer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(PipelineError, match="packer is not on PATH"):
        bake.run(plan())
