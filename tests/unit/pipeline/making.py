"""Images as the tests of the pipeline want them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.channels.standing import Standing
from pipeline.model import Image, PointerVersion

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

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


def version(number: int, image_id: str, *labels: str, minute: int | None = None) -> PointerVersion:
    """A version of a pointer, written a minute after the one before."""
    when = NOON + timedelta(minutes=number - 1 if minute is None else minute)
    return PointerVersion(
        version=number, image_id=image_id, when=when, by="arn:x", description="d", labels=labels
    )


def standing(*record: str | tuple[str, ...] | PointerVersion, stack: str = "prod") -> Standing:
    """A channel prod of role web that has held these images, the oldest first, each with its labels."""
    versions = [
        one if isinstance(one, PointerVersion) else version(number, *([one] if isinstance(one, str) else one))
        for number, one in enumerate(record, 1)
    ]
    return Standing(stack=stack, role="web", channel="prod", record=versions[::-1])
