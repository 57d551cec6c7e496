"""The commands `revoke` and `restore`: an image that no channel may take any more, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.model import TAG_REVOKED

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image

TAG_LIMIT = 256  # EC2: characters in a tag's value
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
            into a tag or has characters that show no sign.
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
    if len(reason) + len(note) > TAG_LIMIT:
        raise PipelineError(
            "the reason does not fit into a tag",
            seen=f"{len(reason)} characters",
            allowed=f"at most {TAG_LIMIT - len(note)}, beside the time and who revokes",
            change="--reason",
        )
    account.images.tag(image_id, TAG_REVOKED, reason + note)
    _see(account, image_id, revoked=True)
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
            "the reason has characters that show no sign",
            seen=visible.quoted(text),
            allowed="one line of printable characters",
            change="--reason",
        )
    return text


def restore(account: Account, image_id: str) -> str:
    """Take a revocation back; returns what it said.

    Raises:
        PipelineError: There is no such image of ours, or it is not revoked.
    """
    image = _ours(account, image_id)
    if image.revoked is None:
        raise PipelineError(f"{image_id} is not revoked", seen=f"no tag {TAG_REVOKED}")
    account.images.untag(image_id, TAG_REVOKED)
    _see(account, image_id, revoked=False)
    return image.revoked


def _see(account: Account, image_id: str, *, revoked: bool) -> None:
    """Return once the change shows, so that what is run next reads it."""
    image = account.images.find_once(image_id, lambda image: (image.revoked is not None) is revoked)
    if image is None or (image.revoked is not None) is not revoked:
        raise PipelineError(
            f"EC2 accepted the change of tag {TAG_REVOKED} of {image_id}, and does not show it",
            seen="no such image" if image is None else f"tag {TAG_REVOKED}: {image.revoked or 'not there'}",
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
