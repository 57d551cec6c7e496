"""Which existing image a stack promotes: the pinned one, else what a channel holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.promote import refusals
from pipeline.settings import role

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.settings.request import Request


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An image that may be promoted.

    Attributes:
        image: The image.
        origin: ``pin``, or ``channel <name>``.
    """

    image: Image
    origin: str


def choose(request: Request, account: Account) -> Choice:
    """The image that a stack asks for.

    Costs one read for a pin and two for a channel, however many images there are.

    Raises:
        PipelineError: There is none, or it may not be promoted (`pipeline.promote.refusals`).
    """
    image_id, origin = request.pin, "pin"
    if image_id is None:
        channel = request.source_channel or ""
        image_id, origin = account.channels.image_id(request.role, channel), f"channel {channel}"
        if image_id is None:
            # A misspelt role has no channel that holds anything.
            role.require(role.TEMPLATE, request.role, request.stack_file)
            raise refusals.empty_channel(request)
    image = account.images.find(image_id, request.owners)
    refusal = refusals.of_image(request, image_id, image)
    if refusal is not None:
        raise refusal
    assert image is not None  # of_image refuses a missing one
    return Choice(image=image, origin=origin)
