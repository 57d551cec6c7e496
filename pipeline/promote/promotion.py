"""What the steps of a promotion share: the pointers and channel tags of one role."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline import aws, log
from pipeline.aws.account import Account
from pipeline.aws.patience import LONG
from pipeline.errors import PipelineError
from pipeline.model import TAG_CHANNEL
from pipeline.promote.pointer import Pointer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from pipeline import plans
    from pipeline.model import Held, PointerVersion


class Promotion:
    """Pointers and tags of one role.

    Args:
        account: The account.
        role: The role.
        channel: The channel that a stack promotes into.
        stack: The stack's name.
        step: The step that acts, for its log.
    """

    def __init__(
        self, account: Account, role: str, channel: str, *, stack: str = "", step: str = "settle"
    ) -> None:
        self.role = role
        self.channel = channel
        self.pointer = Pointer(stack, role, channel, channels=account.channels)
        self.channels = account.channels
        self._account = account
        self._step = step

    @classmethod
    def of(cls, plan: plans.Promotion) -> Promotion:
        """What a plan is about."""
        account = Account(region=plan.region, patience=LONG)
        return cls(account, plan.role, plan.channel, stack=plan.stack, step=plan.step)

    def log(self, text: str) -> None:
        """One line of the step's own log."""
        log.log(self._step, text)

    @contextmanager
    def reporting(self) -> Generator[None]:
        """Add to an error what pointer and tags hold now.

        Raises:
            PipelineError: The error, with that.
        """
        try:
            with aws.asking(f"carry out the step {self._step}", region=self._account.region):
                yield
        except PipelineError as error:
            parts = [error.seen, *self._now(), "this update has not changed the launch template"]
            raise PipelineError(
                error.what,
                seen="\n".join(part for part in parts if part),
                allowed=error.allowed,
                change=error.change,
            ) from error

    def _now(self) -> list[str]:
        try:
            with aws.asking("read the channel", region=self._account.region):
                tagged = sorted(image for image, name in self.tagged().items() if name == self.channel)
                return [
                    (
                        f"now: {self.pointer.name} holds {self.pointer.image_id() or 'nothing'}; "
                        f"tag {TAG_CHANNEL}={self.channel}: {', '.join(tagged) or 'on no image'}"
                    )
                ]
        except PipelineError as error:
            return [f"now: unknown, {error.what}"]

    def held(self) -> list[Held]:
        """What the role's channels hold."""
        return self._account.channels.held(self.role)

    def holds(self, channel: str) -> str | None:
        """The image that a channel holds, or None, by a read of that channel alone."""
        return self._account.channels.image_id(self.role, channel)

    def tagged(self) -> dict[str, str]:
        """Our images of the role that have a channel's tag, and which."""
        return self._account.channels.tagged(self.role)

    def take_tag(self, *, but: str | None, fresh: Iterable[str] = ()) -> None:
        """Take the channel's tag from all images but one.

        Args:
            but: The image that keeps it.
            fresh: Images that may have got it just now, which a list of images may not show yet.
        """
        having = {image_id for image_id, name in self.tagged().items() if name == self.channel}
        unseen = set(fresh) - having - {but}
        if unseen:
            having |= self._account.images.shown(unseen, ours=True)
        for image_id in sorted(having - {but}):
            self.untag(image_id, self.channel)

    def settle(self, wanted: Mapping[str, str], held: Iterable[Held], *, fresh: str | None = None) -> bool:
        """Make the tags what the pointers say; calls only for those that differ.

        A tag of a channel that has no pointer is left alone, but for this channel's: it is not ours. What a list of
        pointers says of another channel may be late, so that channel is asked before its tag changes.

        Args:
            wanted: Image ID to the channel whose tag it is to have.
            held: What the channels hold.
            fresh: An image that got this channel's tag just now, which a list of images may not show yet.

        Returns:
            Whether an image got this channel's tag.
        """
        given = False
        tagged = self.tagged()
        if fresh is not None and wanted.get(fresh) != self.channel:
            tagged[fresh] = self.channel
        ours = {self.channel, *(one.channel for one in held)}
        for image_id in tagged.keys() - wanted.keys():
            name = tagged[image_id]
            if name in ours and (name == self.channel or self.holds(name) != image_id):
                self.untag(image_id, name)
        for image_id, name in wanted.items():
            if tagged.get(image_id) == name or not self._is_there(image_id):
                continue
            if name == self.channel or self.holds(name) == image_id:
                self._account.channels.tag(image_id, name)
                self.log(f"added {image_id} to channel {name}")
                given = given or name == self.channel
        return given

    def record(self, versions: Iterable[PointerVersion]) -> None:
        """Tag the images that the channel has held, for the time when SSM has forgotten the pointer's versions."""
        for image_id in self._account.channels.note_held(self.channel, versions):
            self.log(f"added {image_id} to the record of channel {self.channel}")

    def untag(self, image_id: str, channel: str) -> None:
        """Take the channel's tag away, if it still has that value."""
        self._account.channels.untag(image_id, channel)
        self.log(f"removed {image_id} from channel {channel}")

    def _is_there(self, image_id: str) -> bool:
        """Whether a channel's image still exists: one may have been deregistered under another channel."""
        return bool(self._account.images.shown([image_id], ours=False))
