"""Whether a channel takes an image whose roll-out has failed somewhere.

The image is refused by the channel whose machines it failed, and by those after it: they come to hold what that one
holds. A channel before it knows nothing of the failure, and may hold the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.model import pointer_source
from pipeline.promote import refusals
from pipeline.settings.schema import FROM_BAKE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.aws.account import Account
    from pipeline.errors import PipelineError
    from pipeline.model import Image
    from pipeline.settings.request import Request


def upward(account: Account, role: str, channel: str, source: str | None) -> Iterator[str]:
    """A channel and those before it, by where each says that it takes images from.

    Reads a channel's record when the caller asks for the one before it, and only then.

    Args:
        account: The account.
        role: The role.
        channel: The channel.
        source: Where it takes images from, or None.

    Raises:
        PipelineError: AWS could not be asked.
    """
    yield channel
    seen = {channel, FROM_BAKE}
    while source is not None and source not in seen:
        yield source
        seen.add(source)
        record = account.channels.history(role, source)
        source = pointer_source(record[0].description) if record else None


def applies(account: Account, image: Image, *, role: str, channel: str, source: str | None) -> bool:
    """Whether the channel, or one before it, has rejected the image. An image without the tag costs no read.

    A tag that names no channel was written by hand, and holds everywhere.

    Raises:
        PipelineError: AWS could not be asked.
    """
    rejected_in = image.rejected_in
    return rejected_in is not None and (
        not rejected_in or rejected_in in upward(account, role, channel, source)
    )


def refusal(account: Account, request: Request, image: Image) -> PipelineError | None:
    """Why a stack may not promote an existing image that was rejected, or None if it may.

    Raises:
        PipelineError: AWS could not be asked.
    """
    if not applies(account, image, role=request.role, channel=request.channel, source=request.upstream):
        return None
    return refusals.rejected(image, request, via=refusals.via(request), way_out=refusals.way_out(request))


def refusal_of_baked(account: Account, request: Request, image: Image) -> PipelineError | None:
    """The same for an image that a stack has baked itself, and would adopt again.

    Raises:
        PipelineError: AWS could not be asked.
    """
    if not applies(account, image, role=request.role, channel=request.channel, source=None):
        return None
    return refusals.rejected(
        image,
        request,
        via="the image of this stack's present content",
        way_out="change what goes into the image, or raise golden-image:bake.serial in "
        f"{request.stack_file}: then another one is baked",
    )
