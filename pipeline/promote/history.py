"""What a channel has held, and whether it could hold it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import record
from pipeline.promote import rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aws.account import Account
    from pipeline.model import Image, PointerVersion


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a channel's record.

    Attributes:
        pointer: Version, time, identity, image id.
        image: The image, or None if it is gone.
        current: Whether the channel holds it now.
        rejected: Whether the channel, or one before it, has rejected it.
    """

    pointer: PointerVersion
    image: Image | None
    current: bool
    rejected: bool = False

    @property
    def obstacle(self) -> str | None:
        """Why the channel could not go back to it, or None if it could."""
        if self.image is None:
            return "gone"
        if self.image.state != "available":
            return self.image.state
        if self.image.revoked is not None:
            return f"revoked: {self.image.revoked}" if self.image.revoked else "revoked"
        if self.rejected:
            return f"rejected: {self.image.rejected}"
        if self.image.validated is None:
            return "never validated"
        return None


def read(account: Account, *, role: str, channel: str, source: str | None = None) -> list[Entry]:
    """A channel's record, newest first.

    Two reads; a third once SSM has forgotten the pointer's first versions; and more if an image of it was rejected
    elsewhere.

    Args:
        account: The account.
        role: The role.
        channel: The channel.
        source: Where it takes images from, or None: what one before it has rejected is an obstacle, too.

    Raises:
        PipelineError: AWS could not be asked.
    """
    versions = account.channels.history(role, channel)
    if len(versions) >= record.KEPT_VERSIONS:
        versions = record.union(versions, account.images.held_before(role, channel))
    images = account.images.existing(sorted({version.image_id for version in versions}))
    held = versions[0].image_id if versions else None
    rejected = {
        image.id
        for image in images.values()
        if rejection.applies(account, image, role=role, channel=channel, source=source)
    }
    return [
        Entry(
            pointer=version,
            image=images.get(version.image_id),
            current=version.image_id == held,
            rejected=version.image_id in rejected,
        )
        for version in versions
    ]


def previous_good(entries: Sequence[Entry], held: str | None = None) -> Entry | None:
    """The newest image that the channel held before it first held another, and could go back to.

    So going back twice goes further back, and not forth again to the image that was left.

    Args:
        entries: The channel's record, newest first.
        held: Id of that other image; None is the one that the channel holds now. One that it has never held is
            the next to come.
    """
    other = held or (entries[0].pointer.image_id if entries else None)
    came = max((number for number, entry in enumerate(entries) if entry.pointer.image_id == other), default=0)
    return next(
        (entry for entry in entries[came:] if entry.pointer.image_id != other and entry.obstacle is None),
        None,
    )
