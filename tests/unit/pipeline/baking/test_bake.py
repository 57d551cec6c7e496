"""One image for one key: baked, adopted, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.baking import bake
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
