"""The commands `revoke` and `restore`: an image that no channel may take any more, and the way back.

The way back is also that of an image whose roll-out failed (`pipeline.rollout`), if the image was not the cause.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.model import TAG_REJECTED, TAG_REVOKED, TAG_VALUE_LIMIT

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image

WHO_LIMIT = 128
"""Characters of the identity's ARN, from its end: a role's path may be longer than a tag."""


def revoke(account: Account, image_id: str, reason: str) -> list[Image]:
    """Tag an image of ours as revoked, with reason, time and who did it.

    Args:
        account: The account.
        image_id: The image.
        reason: Why; a refusal quotes it.

    Returns:
        Its descendants: images of ours that were baked from it, or from one that was. They are not revoked.

    Raises:
        PipelineError: There is no such image of ours, a channel holds it, or the reason is missing, does not fit
            into a tag or has characters that cannot be printed.
    """
    reason = _tag_text(reason)
    _ours(account, image_id)
    holders = [name for name, held in account.channels.pointers().items() if held == image_id]
    if holders:
        raise PipelineError(
            f"{image_id} is in a channel, and machines are launched from it",
            seen=", ".join(holders),
            allowed="an image that no channel holds",
            change="roll the channel back first: `python -m pipeline rollback STACK`, then `pulumi up`",
        )
    note = f" ({datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {account.identity()[-WHO_LIMIT:]})"
    if len(reason) + len(note) > TAG_VALUE_LIMIT:
        raise PipelineError(
            "the reason does not fit into a tag",
            seen=f"{len(reason)} characters",
            allowed=f"at most {TAG_VALUE_LIMIT - len(note)}, in addition to the time and who revokes",
            change="--reason",
        )
    account.images.tag(image_id, TAG_REVOKED, reason + note)
    _see(account, image_id, TAG_REVOKED, there=True)
    return account.images.descendants(image_id)


def _tag_text(reason: str) -> str:
    """A reason that EC2 takes as a tag's value, and that every reader of tags can show.

    EC2 takes most of Unicode, but XML, which it answers in, has no control characters.
    """
    text = reason.strip()
    if not text:
        raise PipelineError("a revocation needs a reason", change='--reason "CVE-…, found by …"')
    if visible.one_line(text) != text:
        raise PipelineError(
            "the reason has characters that cannot be printed",
            seen=visible.quoted(text),
            allowed="one line of printable characters",
            change="--reason",
        )
    return text


def restore(account: Account, image_id: str) -> dict[str, str]:
    """Let an image be promoted again that was revoked, rejected, or both.

    Returns:
        The tags that were taken away, `Revoked` and `Rejected`, with what they said.

    Raises:
        PipelineError: The image does not belong to this account, or it has neither tag.
    """
    image = _ours(account, image_id)
    found = {key: image.tags[key] for key in (TAG_REVOKED, TAG_REJECTED) if key in image.tags}
    if not found:
        raise PipelineError(
            f"{image_id} is neither revoked nor rejected",
            seen=f"no tag {TAG_REVOKED}, no tag {TAG_REJECTED}",
        )
    for key in found:
        account.images.untag(image_id, key)
        _see(account, image_id, key, there=False)
    return found


def _see(account: Account, image_id: str, key: str, *, there: bool) -> None:
    """Return once the change of a tag shows, so that what is run next reads it."""
    image = account.images.find_once(image_id, lambda image: (key in image.tags) is there)
    if image is None or (key in image.tags) is not there:
        raise PipelineError(
            f"EC2 accepted the change of tag {key} of {image_id}, and does not show it",
            seen="no such image" if image is None else f"tag {key}: {image.tags.get(key) or 'not there'}",
            change=f"look again later: aws ec2 describe-images --image-ids {image_id}",
        )


def _ours(account: Account, image_id: str) -> Image:
    image = account.images.find(image_id)
    if image is None or not image.allowed_owner:
        raise PipelineError(
            f"{image_id} does not belong to this account in {account.region}",
            seen="no such image" if image is None else f"owner {image.owner}",
            change="the id, --region or --profile",
        )
    return image
