"""A return that an update began and did not live to end: what the next one declares instead of the rejected image.

Machines are back on the image before, and the one that failed is marked; pointer, tags or template may still name it.
So the stack is declared with the image before, by the word of the promotion that failed: the steps of a promotion put
right whatever is left, the step `roll-out` leaves the label, which ends the return, and fails with the reason. Up to
then each update finds the return unfinished.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.model import TAG_REJECTED, group_name, pointer_name, returned_from

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.promote.standing import Standing


@dataclass(frozen=True, kw_only=True)
class Return:
    """An unfinished return.

    Attributes:
        failed: The image that was asked for, whose roll-out failed.
        to: The image that the machines run.
        word: The word of the promotion that failed, or None if its label is gone.
    """

    failed: Image
    to: str
    word: str | None

    def warning(self, channel: str) -> str:
        """What a preview says of it."""
        return (
            f"the return of channel {channel} from {self.failed.id} to {self.to} is not finished; `pulumi up` finishes "
            f"it, and then fails with the reason of the return: {self.failed.rejected}"
        )


def find(account: Account, standing: Standing, image: Image) -> Return | None:
    """The unfinished return from an image that a stack with a group asks for, or None.

    Costs reads only of an image that this channel has rejected, and that it holds.

    Args:
        account: The account.
        standing: Where the channel stands.
        image: The image that is asked for.

    Raises:
        PipelineError: It is unknown where the machines have returned to; or AWS could not be asked.
    """
    latest = standing.latest
    if latest is None or image.rejected_in != standing.channel or standing.moved:
        return None
    if latest.image_id == image.id:
        to = _machines_image(account, standing, image)
    elif returned_from(latest.description) == (image.id, latest.image_id) and not standing.signed:
        to = latest.image_id
    else:
        return None
    return None if to == image.id else Return(failed=image, to=to, word=standing.word)


def existing(account: Account, found: Return) -> Image:
    """The image that the machines run.

    Raises:
        PipelineError: It is not available, so the channel cannot go back to it; or AWS could not be asked.
    """
    image = account.images.find(found.to)
    if image is None or image.state != "available":
        raise PipelineError(
            f"the return from {found.failed.id} to {found.to} cannot be finished: a channel can hold only an image "
            "that is available",
            seen=f"{found.to}: {image.state if image else 'no such image'}",
            allowed="state available",
            change="pin a good image (golden-image:image), or promote a better one into the channel that the stack "
            "takes from; `pulumi up` then moves machines and channel to it",
        )
    return image


def _machines_image(account: Account, standing: Standing, image: Image) -> str:
    """The image of the launch template's version that the channel's group launches."""
    name = group_name(standing.role, standing.channel)
    group = account.groups.find(name)
    version = group.version if group else None
    found = account.templates.image(version) if version else None
    if found is None:
        if group is None:
            seen = f"no Auto Scaling group {name}"
        elif version is None:
            seen = f"{name} launches from no launch template"
        else:
            seen = f"{name} launches version {version.number} of {version.template}, which names no image or is gone"
        raise PipelineError(
            f"the return from {image.id} is not finished, and nothing says which image the machines returned to",
            seen=f"{pointer_name(standing.role, standing.channel)} holds {image.id}, tag {TAG_REJECTED}: "
            f"{image.rejected}\n{seen}",
            allowed=f"the group {name}, with a version of the launch template that has an image",
            change="pin the image that the channel is to hold (golden-image:image)\n"
            f"if {image.id} was not the cause: `python -m pipeline restore {image.id}`; then `pulumi up`",
        )
    return found
