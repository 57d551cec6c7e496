"""Which existing image a stack promotes: the pinned one, else what a channel holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.promote import refusals, rejection
from pipeline.settings import role

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.settings.request import Request


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The image that a stack asks for.

    Attributes:
        image_id: Its id.
        image: The image, or None if there is no such one.
        origin: ``pin``, or ``channel <name>``.
    """

    image_id: str
    image: Image | None
    origin: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An image that may be promoted.

    Attributes:
        image: The image.
        origin: ``pin``, or ``channel <name>``.
    """

    image: Image
    origin: str


def ask(request: Request, account: Account) -> Asked:
    """The image that a stack asks for.

    Costs one read for a pin and two for a channel, however many images there are.

    Raises:
        PipelineError: The channel holds none, or AWS could not be asked.
    """
    image_id, origin = request.pin, "pin"
    if image_id is None:
        channel = request.source_channel or ""
        image_id, origin = account.channels.image_id(request.role, channel), f"channel {channel}"
        if image_id is None:
            # A misspelt role has no channel that holds anything.
            role.require(role.TEMPLATE, request.role, request.stack_file)
            raise refusals.empty_channel(request)
    return Asked(image_id=image_id, image=account.images.find(image_id, request.owners), origin=origin)


def check(request: Request, asked: Asked, account: Account) -> Choice:
    """The image that was asked for, if it may be promoted. Costs a read only of an image that was rejected.

    Raises:
        PipelineError: It may not be promoted (`pipeline.promote.refusals`), or AWS could not be asked.
    """
    refusal = refusals.of_image(request, asked.image_id, asked.image)
    if refusal is None and asked.image is not None:
        refusal = rejection.refusal(account, request, asked.image)
    if refusal is not None:
        raise refusal
    assert asked.image is not None  # of_image refuses a missing one
    return Choice(image=asked.image, origin=asked.origin)


def choose(request: Request, account: Account) -> Choice:
    """The image that a stack asks for, which may be promoted.

    Raises:
        PipelineError: There is none, or it may not be promoted.
    """
    return check(request, ask(request, account), account)
