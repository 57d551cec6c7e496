"""Images as the tests of the pipeline want them."""

from dataclasses import replace
from typing import Any

from pipeline.model import Image

EVIDENCE = "2026-01-31T12:00:00Z suite x report y"
GOOD = Image(
    id="ami-0123456789abcdef0",
    name="web-base-1",
    owner="111122223333",
    allowed_owner=True,
    state="available",
    architecture="x86_64",
    created="2026-01-31T12:00:00.000Z",
    tags={"Role": "web", "Validated": EVIDENCE},
)


def image(image_id: str = GOOD.id, **changes: Any) -> Image:
    """A good image of role web with another id and other values."""
    return replace(GOOD, id=image_id, **changes)
