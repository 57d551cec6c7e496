"""One image for one key: baked, adopted, or refused."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.ec2.models import ec2_backends

from pipeline import catalog
from pipeline.baking import bake, packer
from pipeline.errors import PipelineError

REGION = "eu-west-1"
KEY = "0" * 32

WRITE_MANIFEST = """
pathlib.Path(variables["manifest_path"]).write_text(json.dumps({
    "last_run_uuid": "run-1",
    "builds": [{"name": "web-base", "packer_run_uuid": "run-1",
                "artifact_id": "eu-west-1:" + (here / "image").read_text()}],
}))
"""


def plan(**changes: Any) -> dict[str, Any]:
    return {
        "bakeKey": KEY,
        "region": REGION,
        "variables": {"image_version": "1.0.0"},
        "access": {"subnet_id": "subnet-1"},
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


@pytest.mark.usefixtures("aws")
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

    def test_of_two_bakes_at_once_the_first_image_is_used_and_the_other_told(
        self, fake_packer: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder = fake_packer(
            "(here / 'started').touch()\nwhile not (here / 'go').exists(): time.sleep(0.01)" + WRITE_MANIFEST
        )
        with ThreadPoolExecutor(1) as pool:
            baking = pool.submit(bake.run, plan())
            while not (folder / "started").exists():
                time.sleep(0.01)
            theirs = register("web-base-1", BakeKey=KEY)
            mine = register("web-base-2", BakeKey=KEY)
            (folder / "image").write_text(mine)
            (folder / "go").touch()
            result = baking.result()
        assert (result["imageId"], result["images"]) == (theirs, {REGION: theirs})
        said = capfd.readouterr().err
        assert f"was first: {theirs} is used by all; {mine} is not" in said

    def test_one_that_died_after_create_image_is_waited_for_and_adopted(
        self,
        fake_packer: Callable[[str], Path],
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = fake_packer("sys.exit(1)")
        left = register("web-base-1", BakeKey=KEY)
        image = ec2_backends["123456789012"][REGION].amis[left]
        image.state = "pending"
        monkeypatch.setattr(catalog, "PENDING_DELAY_SECONDS", 0.01)
        say = packer.say

        def told(text: str) -> None:
            say(text)
            image.state = "available"

        monkeypatch.setattr(packer, "say", told)
        result = bake.run(plan())
        assert (result["imageId"], result["adopted"]) == (left, True)
        assert f"{left} has this bake key and is not available yet; waiting for it" in capfd.readouterr().err
        assert not (folder / "calls").exists()

    def test_a_failed_build_says_why(self, fake_packer: Callable[[str], Path]) -> None:
        fake_packer("print('==> Timeout waiting for SSH.'); sys.exit(1)")
        with pytest.raises(PipelineError) as caught:
            bake.run(plan())
        assert "could not log in" in str(caught.value)
        assert "Timeout waiting for SSH." in str(caught.value)
        assert "packer.log" in str(caught.value)

    def test_a_build_without_manifest(self, fake_packer: Callable[[str], Path]) -> None:
        fake_packer("")
        with pytest.raises(PipelineError, match="wrote no manifest"):
            bake.run(plan())


@pytest.mark.parametrize("name", ["bakeKey", "region", "variables", "access"])
def test_an_incomplete_plan(name: str) -> None:
    with pytest.raises(PipelineError, match=f"lacks '{name}'"):
        bake.run({key: value for key, value in plan().items() if key != name})


def test_no_packer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aws: None) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(PipelineError, match="packer is not on PATH"):
        bake.run(plan())
