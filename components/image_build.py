"""The bake as a resource: a command that runs Packer, keyed by everything that goes into the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi

from components import step
from pipeline import plans

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.baking.bakekey import Ingredients


class ImageBuild(pulumi.ComponentResource):
    """An image baked from packer/, or adopted if one with this bake key is already there.

    The command has no ``delete``: a build that is replaced or destroyed leaves its image in place, because it
    is the rollback target (docs/architecture.md, rule 3).
    """

    key: str
    """The bake key of what goes into the image."""

    image_id: pulumi.Output[str]
    """The image in this stack's region."""

    result: pulumi.Output[dict[str, Any]]
    """What the bake says of itself: ids by region, name, bake key, Packer run uuid, source image, git commit."""

    def __init__(
        self,
        name: str,
        *,
        ingredients: Ingredients,
        region: str,
        access: Mapping[str, Any],
        timeout_minutes: int,
        environment: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the build.

        Args:
            name: The component's name.
            ingredients: All that goes into the image; their key changes when, and only when, the image would
                (docs/architecture.md, rule 1).
            region: Where it is baked.
            access: Template variables that only say how Packer reaches AWS. A change of these alone runs the
                step again, which then adopts the image that is there.
            timeout_minutes: How long a bake may take. A change of it alone runs the step again, as with `access`.
            environment: How the step reaches AWS.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImageBuild", name, None, opts)
        self.key = key = ingredients.key
        plan = {
            "bake_key": key,
            "region": region,
            "access": dict(access),
            "timeout_minutes": timeout_minutes,
            "files": dict(ingredients.files),
            "variables": dict(ingredients.variables),
            "serial": ingredients.serial,
            "source_image": ingredients.source_image,
        }
        bake = step.declare(self, f"{name}-bake", plans.Bake, plan, environment=environment, triggers=[key])
        self.result = step.result(bake)
        self.image_id = self.result.apply(lambda result: str(result["images"][region]))
        self.register_outputs({"imageId": self.image_id, "result": self.result})
