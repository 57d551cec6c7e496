"""The step `bake`: one image for one bake key, baked by Packer or adopted if it is there already."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from pipeline import aws, secretscan
from pipeline.baking import packer
from pipeline.errors import PipelineError
from pipeline.model import TAG_BAKE_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

PENDING_DELAY_SECONDS = 15
PENDING_ATTEMPTS = 80
"""How often a pending image is looked at: twenty minutes, which is what a large snapshot may take."""


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Bake or adopt.

    Args:
        plan: ``bakeKey``, ``region``, ``variables`` (content), ``access``.

    Returns:
        ``imageId``, ``images`` (by region), ``name``, ``bakeKey``, ``packerRunUuid`` (None if adopted),
        ``sourceImage``, ``gitCommit``, ``adopted``.

    Raises:
        PipelineError: The plan is incomplete, Packer failed, or AWS could not be asked.
    """
    for name, kind in (("bakeKey", str), ("region", str), ("variables", dict), ("access", dict)):
        if not isinstance(plan.get(name), kind):
            raise PipelineError(
                f"the plan on standard input lacks {name!r}",
                seen=repr(plan.get(name)),
                allowed=kind.__name__,
                change="`bin/step bake` is started by the program; see components/image_build.py",
            )
    key, region = plan["bakeKey"], plan["region"]
    folder = packer.state_folder(key)
    with packer.only_one(folder) as lock:
        ec2 = aws.client("ec2", region=region)
        image = _existing(ec2, key)
        if image is not None:
            packer.say(f"adopting {image['ImageId']}, which has this bake key ({key}): nothing to bake")
            return _result(image, key=key, region=region, images={}, run_uuid=None)
        _refuse_secrets()
        artifact = packer.build(
            folder,
            {
                **plan["variables"],
                **plan["access"],
                "region": region,
                "bake_key": key,
                "git_commit": git_commit(),
            },
            lock,
        )
    image_id = artifact.images.get(region)
    if image_id is None:
        raise PipelineError(
            f"Packer made no image in {region}", seen=str(artifact.images), change="packer/image.pkr.hcl"
        )
    first = _existing(ec2, key)
    if first is not None and first["ImageId"] != image_id:
        packer.say(
            f"another bake of this content, somewhere else, was first: {first['ImageId']} is used by all; "
            f"{image_id} is not, and `python -m pipeline retire` removes it in time"
        )
        return _result(first, key=key, region=region, images={}, run_uuid=None)
    image = ec2.describe_images(ImageIds=[image_id])["Images"][0]
    return _result(image, key=key, region=region, images=artifact.images, run_uuid=artifact.run_uuid)


def _refuse_secrets() -> None:
    """Look for secrets in what would be baked.

    Raises:
        PipelineError: There are some; it names file, line and rule, and not the secret.
    """
    findings = secretscan.scan_sources(packer.TEMPLATE, secretscan.read_allowed())
    if findings:
        raise PipelineError(
            "there is a secret in what would be baked; nothing has been started",
            seen="\n".join(f"{packer.TEMPLATE}/{finding}" for finding in findings),
            allowed="values that machines are given at run time (instance role, secret manager)",
            change="take it out, and rotate it if it is real; a false alarm goes into "
            f"{secretscan.ALLOW_FILE} with its reason",
        )


def _existing(ec2: Any, key: str) -> dict[str, Any] | None:
    """The image that an earlier bake of this key made, once it is available; None if there is none."""
    answer = ec2.describe_images(
        Owners=["self"],
        Filters=[
            {"Name": f"tag:{TAG_BAKE_KEY}", "Values": [key]},
            {"Name": "state", "Values": ["available", "pending"]},
        ],
    )
    # The oldest, available or not yet, so that everybody who asks gets the same one.
    images: list[dict[str, Any]] = sorted(
        answer["Images"], key=lambda image: (str(image["CreationDate"]), image["ImageId"])
    )
    if not images:
        return None
    if len(images) > 1:
        packer.say(
            f"{len(images)} images have this bake key: "
            f"{', '.join(image['ImageId'] for image in images)}; the oldest is used"
        )
    oldest = images[0]
    if oldest["State"] == "available":
        return oldest
    packer.say(f"{oldest['ImageId']} has this bake key and is not available yet; waiting for it")
    ec2.get_waiter("image_available").wait(
        ImageIds=[oldest["ImageId"]],
        WaiterConfig={"Delay": PENDING_DELAY_SECONDS, "MaxAttempts": PENDING_ATTEMPTS},
    )
    found: dict[str, Any] = ec2.describe_images(ImageIds=[oldest["ImageId"]])["Images"][0]
    return found


def git_commit() -> str | None:
    """The commit that is checked out, with ``-dirty`` if files differ from it; None outside of git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def _result(
    image: Mapping[str, Any], *, key: str, region: str, images: Mapping[str, str], run_uuid: str | None
) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in image.get("Tags", [])}
    return {
        "imageId": image["ImageId"],
        "images": dict(images) or {region: image["ImageId"]},
        "name": image["Name"],
        "bakeKey": key,
        "packerRunUuid": run_uuid,
        "sourceImage": tags.get("SourceImage"),
        "gitCommit": tags.get("GitCommit"),
        "adopted": run_uuid is None,
    }
