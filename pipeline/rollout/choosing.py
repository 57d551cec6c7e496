"""What a stack declares: the image that it asks for, or the one that its channel is still on the way back to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.model import group_name
from pipeline.promote import rejection, soak
from pipeline.promote.pointer import look
from pipeline.promote.select import Choice, ask, check
from pipeline.rollout import unfinished

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.promote.standing import Standing
    from pipeline.rollout.unfinished import Return
    from pipeline.settings.load import Settings


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """An existing image that a stack promotes.

    Attributes:
        choice: The image.
        standing: Where the stack's channel stands.
        back: The unfinished return that goes to that image, or None.
    """

    choice: Choice
    standing: Standing
    back: Return | None


def existing(stack: Settings, account: Account, stands: Callable[[], Standing], now: datetime) -> Chosen:
    """The image that a stack promotes which bakes none.

    Args:
        stack: The stack's settings.
        account: The account.
        stands: Reads where its channel stands.
        now: The present time, in UTC.

    Raises:
        PipelineError: There is none, it may not be promoted (`pipeline.promote`), or AWS could not be asked.
    """
    request = stack.request
    asked = ask(request, account)
    back = None
    if stack.fleet.group is not None and asked.image is not None and asked.image.rejected is not None:
        back = _return(account, stands, asked.image)
    if back is None:
        choice = check(request, asked, account)
    else:
        origin = f"the machines of {group_name(stack.role, stack.channel)}"
        choice = Choice(image=unfinished.existing(account, back), origin=origin)
    image = choice.image
    standing = look(stands, lambda found: found.refusal(image.id) is None)
    refusal = standing.refusal(image.id, stack.stack_file)
    if refusal is None and back is None and standing.image_id != image.id:
        refusal = soak.refusal(account, request, image, now)
    if refusal is not None:
        raise refusal
    return Chosen(choice=choice, standing=standing, back=back)


def _return(account: Account, stands: Callable[[], Standing], image: Image) -> Return | None:
    """The unfinished return from an image; looked for again for a while, as its last write may not show yet."""
    return look(lambda: unfinished.find(account, stands(), image), lambda found: found is None)


def baked(stack: Settings, account: Account, bake_key: str, stands: Callable[[], Standing]) -> Return | None:
    """The unfinished return of a stack that bakes, whose image is not known before the update.

    An image with its bake key is looked for only where the stack has a group, which alone rejects images.

    Args:
        stack: The stack's settings.
        account: The account.
        bake_key: The key of what it would bake.
        stands: Reads where its channel stands.

    Raises:
        PipelineError: The image is there already, and its channel has rejected it; or AWS could not be asked.
    """
    if stack.fleet.group is None:
        return None
    image = next(iter(account.images.baked(bake_key)), None)
    if image is None or image.rejected is None:
        return None
    back = _return(account, stands, image)
    if back is not None:
        unfinished.existing(account, back)
        return back
    refusal = rejection.refusal_of_baked(account, stack.request, image)
    if refusal is not None:
        raise refusal
    return None
