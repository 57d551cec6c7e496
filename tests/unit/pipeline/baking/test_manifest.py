"""Packer's manifest, as the post-processor writes it."""

import json
from typing import Any

import pytest

from pipeline.baking.manifest import Artifact, last_artifact
from pipeline.errors import PipelineError


def manifest(*artifacts: tuple[str, str], last: str = "run-2") -> str:
    builds: list[dict[str, Any]] = [
        {
            "name": "web-base",
            "builder_type": "amazon-ebs",
            "artifact_id": artifact,
            "packer_run_uuid": run,
        }
        for run, artifact in artifacts
    ]
    return json.dumps({"builds": builds, "last_run_uuid": last})


def test_the_last_run_counts() -> None:
    text = manifest(("run-1", "eu-west-1:ami-1"), ("run-2", "eu-west-1:ami-2"))
    assert last_artifact(text, build="web-base") == Artifact("run-2", {"eu-west-1": "ami-2"})


def test_several_regions() -> None:
    text = manifest(("run-2", "eu-west-1:ami-1,us-east-1:ami-2"))
    assert last_artifact(text, build="web-base").images == {"eu-west-1": "ami-1", "us-east-1": "ami-2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("{}", "cannot be read"),
        (manifest(("run-1", "eu-west-1:ami-1")), "made 0 artifacts"),
        (manifest(("run-2", "something")), "names no image"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        last_artifact(text, build="web-base")
