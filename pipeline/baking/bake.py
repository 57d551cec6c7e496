"""The step `bake`: one image for one bake key, baked by Packer or adopted if it is there already."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

from pipeline import secretscan
from pipeline.baking import packer
from pipeline.catalog import Catalog
from pipeline.errors import PipelineError
from pipeline.model import TAG_GIT_COMMIT, TAG_SOURCE_IMAGE
from pipeline.patience import LONG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.model import Image


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
        catalog = Catalog(region=region, patience=LONG)
        image = _existing(catalog, key)
        if image is not None:
            packer.say(f"adopting {image.id}, which has this bake key ({key}): nothing to bake")
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
    first = _existing(catalog, key)
    if first is not None and first.id != image_id:
        packer.say(
            f"another bake of this content, somewhere else, was first: {first.id} is used by all; "
            f"{image_id} is not, and `python -m pipeline retire` removes it in time"
        )
        return _result(first, key=key, region=region, images={}, run_uuid=None)
    image = first or catalog.image(image_id)
    if image is None:
        raise PipelineError(
            f"{image_id}, which Packer has just made, is not there",
            seen=f"no image of that id in {region}",
            change="who deregistered it? then `pulumi up` again",
        )
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


def _existing(catalog: Catalog, key: str) -> Image | None:
    """The image that an earlier bake of this key made, once it is available; None if there is none."""
    images = catalog.baked(key)
    if not images:
        return None
    # The oldest, available or not yet, so that everybody who asks gets the same one.
    oldest = images[0]
    if len(images) > 1:
        ids = ", ".join(image.id for image in images)
        packer.say(f"{len(images)} images have this bake key: {ids}; the oldest is used")
    if oldest.state != "available":
        packer.say(f"{oldest.id} has this bake key and is not available yet; waiting for it")
        catalog.wait_until_available(oldest.id)
    return oldest


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
