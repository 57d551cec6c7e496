"""Which existing image a stack promotes: the pinned one, else what a channel holds.

Pure: reads go through a `Reader`, so that this is tested without AWS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.channels import refusals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.model import Image
    from pipeline.settings.request import Request


class Reader(Protocol):
    """The two reads that a choice rests on."""

    def pointer(self, role: str, channel: str) -> str | None:
        """The id of the image that a channel holds, or None."""

    def image(self, image_id: str, owners: Sequence[str]) -> Image | None:
        """The image of that id, or None."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An image that may be promoted.

    Attributes:
        image: The image.
        origin: ``pin``, or ``channel <name>``.
    """

    image: Image
    origin: str


def choose(request: Request, reader: Reader) -> Choice:
    """The image that a stack asks for.

    Costs one read for a pin and two for a channel, however many images there are.

    Raises:
        PipelineError: There is none, or it may not be promoted (`pipeline.channels.refusals`).
    """
    image_id, origin = request.pin, "pin"
    if image_id is None:
        channel = request.source_channel or ""
        image_id, origin = reader.pointer(request.role, channel), f"channel {channel}"
        if image_id is None:
            raise refusals.empty_channel(request)
    image = reader.image(image_id, request.owners)
    refusal = refusals.of_image(request, image_id, image)
    if refusal is not None:
        raise refusal
    assert image is not None  # noqa: S101 - of_image refuses a missing one
    return Choice(image=image, origin=origin)
