"""One image for one key: baked, adopted, or refused."""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import botocore.client
import pytest
from moto.ec2.models import ec2_backends

from pipeline.baking import bake, packer
from pipeline.errors import PipelineError
from tests.unit.pipeline.baking.making import (
    KEY,
    REGION,
    WRITE_MANIFEST,
    plan,
    register,
    register_source,
    tags,
)

pytestmark = pytest.mark.usefixtures("quick_reads")


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

    def test_packer_asks_for_its_own_address_through_no_proxy(
        self, fake_packer: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = fake_packer("(here / 'seen').write_text(os.environ['NO_PROXY'])" + WRITE_MANIFEST)
        (folder / "image").write_text(register("web-base-1"))
        monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
        bake.run(plan())
        assert (folder / "seen").read_text() == "10.0.0.0/8,checkip.amazonaws.com"

    def test_a_builder_lives_longer_than_its_bake_and_its_clean_up(
        self, fake_packer: Callable[[str], Path]
    ) -> None:
        folder = fake_packer("(here / 'seen').write_text(str(variables['builder_minutes']))" + WRITE_MANIFEST)
        (folder / "image").write_text(register("web-base-1"))
        bake.run(plan(timeoutMinutes=60))
        assert 60 + packer.GRACE_SECONDS / 60 < int((folder / "seen").read_text()) <= 90


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
