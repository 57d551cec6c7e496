"""The step `bake`: one image for one bake key, baked by Packer or adopted if it is there already."""

from __future__ import annotations

import subprocess
import uuid
from typing import TYPE_CHECKING, Any

from pipeline import plans
from pipeline.aws.account import Account
from pipeline.aws.patience import LONG
from pipeline.baking import packer, source, sourcescan
from pipeline.errors import PipelineError
from pipeline.model import TAG_BAKE_KEY, TAG_GIT_COMMIT, TAG_SOURCE_IMAGE
from pipeline.scanning import secretscan
from pipeline.settings.role import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.model import Image


BUILDER_GRACE_MINUTES = 20
"""How much longer than its bake a builder may run before it stops itself: Packer's clean-up takes ten at the most."""

LAG_SECONDS = 10.0
"""How long a read of the image may lag behind the writes of its tags."""


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Bake or adopt.

    Args:
        given: The plan (`plans.Bake`).

    Returns:
        ``imageId``, ``images`` (by region), ``name``, ``bakeKey``, ``packerRunUuid`` (None if adopted),
        ``sourceImage``, ``gitCommit``, ``adopted``.

    Raises:
        PipelineError: The plan is incomplete, Packer failed, or AWS could not be asked.
    """
    plan = plans.Bake.from_json(given)
    key, region = plan.bake_key, plan.region
    folder = packer.state_folder(key)
    with packer.only_one(folder) as lock:
        account = Account(region=region, patience=LONG)
        image = _existing(account, key)
        if image is not None:
            packer.say(f"adopting {image.id}, which has this bake key ({key}): nothing to bake")
            return _result(image, key=key, region=region, images={}, run_uuid=None)
        _refuse_secrets(str(plan.variables["image_role"]))
        start = source.find(account, plan.variables, where="golden-image:bake.variables in the stack file")
        artifact = packer.build(
            folder,
            {
                **plan.variables,
                **plan.access,
                "region": region,
                "bake_key": key,
                "bake_id": str(uuid.uuid4()),
                "git_commit": git_commit(),
                "root_device_name": start.root_device,
                "builder_minutes": plan.timeout_minutes + BUILDER_GRACE_MINUTES,
            },
            lock,
            limit_seconds=plan.timeout_minutes * 60,
        )
        image_id = artifact.images.get(region)
        if image_id is None:
            raise PipelineError(
                f"Packer made no image in {region}", seen=str(artifact.images), change="packer/image.pkr.hcl"
            )
        # Its tags are the last that Packer writes, and a read may lag behind.
        image = account.images.find_once(image_id, _complete, seconds=LAG_SECONDS)
        if image is None:
            raise PipelineError(
                f"{image_id}, which Packer has just made, is not there",
                seen=f"no image of that id in {region}",
                change="find out who deregistered it, then `pulumi up` again",
            )
        used = _finished(account, image, key)
    if used.id != image.id:
        return _result(used, key=key, region=region, images={}, run_uuid=None)
    return _result(image, key=key, region=region, images=artifact.images, run_uuid=artifact.run_uuid)


def _finished(account: Account, image: Image, key: str) -> Image:
    """Mark an image as finished, unless another bake of the key has finished first; returns the one that all use.

    Packer has ended: from here on nothing takes back an image that has the key.
    """
    first = _existing(account, key)
    if first is None:
        account.images.finish(image, key)
        # Two may have looked in the same moment. Once the key shows here, one that came before it does, too.
        account.images.find_once(image.id, lambda shown: TAG_BAKE_KEY in shown.tags, seconds=LAG_SECONDS)
        first = _existing(account, key)
    if first is not None and first.id != image.id:
        packer.say(
            f"a concurrent bake of the same content finished first: using {first.id}; {image.id} is not used, and "
            "`python -m pipeline retire` removes it in time"
        )
        return first
    return image


def _complete(image: Image) -> bool:
    return image.state == "available" and TAG_SOURCE_IMAGE in image.tags


def _refuse_secrets(role: str) -> None:
    """Look for secrets in what would be baked for a role.

    Raises:
        PipelineError: There are some; it names file, line and rule, and not the secret.
    """
    findings = sourcescan.scan_sources(TEMPLATE, role, secretscan.read_allowed())
    if findings:
        raise PipelineError(
            "there is a secret in what would be baked; nothing has been started",
            seen="\n".join(f"{TEMPLATE}/{finding}" for finding in findings),
            allowed="values that machines are given at run time (instance role, secret manager)",
            change="take it out, and rotate it if it is real; a false alarm goes into "
            f"{secretscan.ALLOW_FILE} with its reason",
        )


def _existing(account: Account, key: str) -> Image | None:
    """The finished image of this key that all use, or None."""
    images = account.images.baked(key)
    if not images:
        return None
    if len(images) > 1:
        ids = ", ".join(image.id for image in images)
        packer.say(f"{len(images)} images have this bake key: {ids}; using the oldest")
    return images[0]


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
    image: Image, *, key: str, region: str, images: Mapping[str, str], run_uuid: str | None
) -> dict[str, Any]:
    return {
        "imageId": image.id,
        "images": dict(images) or {region: image.id},
        "name": image.name,
        "bakeKey": key,
        "packerRunUuid": run_uuid,
        "sourceImage": image.tags.get(TAG_SOURCE_IMAGE),
        "gitCommit": image.tags.get(TAG_GIT_COMMIT),
        "adopted": run_uuid is None,
    }
