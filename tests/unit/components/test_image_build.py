"""What a bake declares."""

import json
from typing import Any

from components.image_build import ImageBuild
from tests.unit.components.making import IMAGE, MADE_OF, has


def test_a_bake_has_its_key_as_trigger_and_no_delete(declared: Any) -> None:
    def declare() -> Any:
        build = ImageBuild(
            "build",
            ingredients=MADE_OF,
            region="eu-west-1",
            access={"subnet_id": "s"},
            timeout_minutes=60,
            environment={"AWS_REGION": "eu-west-1"},
        )
        return build.image_id.apply(lambda value: has(value, IMAGE))

    step = declared(declare).inputs["build-bake"]
    assert step["triggers"] == [MADE_OF.key]
    assert "delete" not in step
    assert step["interpreter"] == ["bin/step"]
    assert json.loads(step["stdin"]) == {
        "bakeKey": MADE_OF.key,
        "region": "eu-west-1",
        "files": {"clean.sh": "d1"},
        "serial": 2,
        "sourceImage": None,
        "variables": {"image_version": "1"},
        "access": {"subnet_id": "s"},
        "timeoutMinutes": 60,
    }
