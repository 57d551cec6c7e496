"""What Packer's manifest says of a run (the `manifest` post-processor's documented format)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipeline.errors import PipelineError


@dataclass(frozen=True)
class Artifact:
    """The artifact of a manifest's last run.

    Attributes:
        run_uuid: Packer's id of the run.
        images: AWS region to image id.
    """

    run_uuid: str
    images: dict[str, str]


def last_artifact(text: str, *, build: str) -> Artifact:
    """The artifact of the last run in a manifest.

    Args:
        text: Content of manifest.json.
        build: Name of the build, such as ``image``.

    Raises:
        PipelineError: It is not a manifest, or the last run made no image.
    """
    try:
        manifest = json.loads(text)
        run_uuid = manifest["last_run_uuid"]
        found = [
            entry["artifact_id"]
            for entry in manifest["builds"]
            if entry["packer_run_uuid"] == run_uuid and entry["name"] == build
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            "Packer's manifest cannot be read", seen=f"{type(error).__name__}: {error}"
        ) from error
    if len(found) != 1:
        raise PipelineError(
            f"Packer's last run made {len(found)} artifacts of build {build!r}",
            allowed="exactly one",
            change="packer/image.pkr.hcl",
        )
    images = {}
    for pair in found[0].split(","):
        region, colon, image_id = pair.partition(":")
        if not colon or not image_id.startswith("ami-"):
            raise PipelineError(
                "Packer's manifest names no image", seen=found[0], allowed="region:ami-…[,region:ami-…]"
            )
        images[region] = image_id
    return Artifact(run_uuid, images)
