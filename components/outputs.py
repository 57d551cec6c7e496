"""A stack's outputs, named for people and for scripts; `Pulumi.README.md` explains each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pulumi

from pipeline.model import TAG_GIT_COMMIT

if TYPE_CHECKING:
    from components.baking import Baked
    from components.fleet import Fleet
    from components.fleet_group import FleetGroup
    from components.image_promotion import ImagePromotion
    from pipeline.promote.select import Choice
    from pipeline.settings.load import Settings

README = Path("Pulumi.README.md")


def of_baked(baked: Baked) -> None:
    """Export what the bake and the validation say of the image."""
    result = baked.build.result
    pulumi.export("imageName", result.apply(lambda said: str(said["name"])))
    pulumi.export("imageFrom", "bake")
    pulumi.export("gitCommit", result.apply(lambda said: str(said["gitCommit"] or "")))
    pulumi.export("validated", baked.validation.validated)
    pulumi.export("validationReport", baked.validation.report)


def of_choice(choice: Choice) -> None:
    """Export what is known of an image that was there already."""
    pulumi.export("imageName", choice.image.name)
    pulumi.export("imageFrom", choice.origin)
    pulumi.export("gitCommit", choice.image.tags.get(TAG_GIT_COMMIT, ""))
    pulumi.export("validated", choice.image.validated)


def of_group(group: FleetGroup) -> None:
    """Export what a stack with a group says of its machines."""
    pulumi.export("group", group.group)
    pulumi.export("deployed", group.deployed)


def of_stack(stack: Settings, promotion: ImagePromotion, fleet: Fleet) -> None:
    """Export what every stack says."""
    pulumi.export("imageId", promotion.image_id)
    pulumi.export("imageSince", promotion.since)
    pulumi.export("previousImage", promotion.previous_image)
    pulumi.export("rollbackCommand", f"python -m pipeline rollback {stack.stack}")
    pulumi.export("channel", stack.channel)
    pulumi.export("pointer", promotion.pointer)
    pulumi.export("launchTemplateId", fleet.launch_template_id)
    pulumi.export("launchTemplateVersion", fleet.latest_version)
    # The text as it is: Pulumi Cloud fills it in, and `python -m pipeline about`. Filled in here, all of it would be
    # unknown, and so in the diff, whenever the image is.
    pulumi.export("readme", README.read_text(encoding="utf-8"))
