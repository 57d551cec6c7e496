"""What the tests of this folder are about: a stack as its file would say it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.doctor.stacks import Place, Stack
from pipeline.settings.schema import Validation

DEV = Stack(
    name="dev",
    file=Path("Pulumi.dev.yaml"),
    place=Place("eu-west-1"),
    role="web",
    channel="candidate",
    source="bake",
    bakes=True,
    architecture="x86_64",
    variables={},
    validation=Validation(),
    clone_type="t3.micro",
)
PROD = replace(
    DEV, name="prod", file=Path("Pulumi.prod.yaml"), channel="prod", source="candidate", bakes=False
)


def baking(*, validation: dict[str, Any] | None = None, **changes: Any) -> Stack:
    """DEV with other values."""
    return replace(DEV, validation=Validation.model_validate(validation or {}), **changes)
