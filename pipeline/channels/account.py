"""What the steps of a promotion share: the pointers and channel tags of one role."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline import aws, log
from pipeline.channels.pointer import Pointer
from pipeline.errors import PipelineError
from pipeline.model import POINTER_ROOT, TAG_CHANNEL, TAG_ROLE, Held, pointer_source
from pipeline.record import record_held

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from pipeline import plans
    from pipeline.model import PointerVersion


class Account:
    """Pointers and tags of one role.

    Args:
        role: The role.
        channel: The channel that a stack promotes into.
        ec2: A client of EC2.
        ssm: A client of SSM.
        stack: The stack's name.
        step: The step that acts, for its log.
        region: AWS region.
    """

    def __init__(
        self,
        role: str,
        channel: str,
        *,
        ec2: Any,
        ssm: Any,
        region: str,
        stack: str = "",
        step: str = "settle",
    ) -> None:
        self.role = role
        self.channel = channel
        self.pointer = Pointer(stack, role, channel, ssm=ssm)
        self._ec2 = ec2
        self._ssm = ssm
        self._step = step
        self._region = region

    @classmethod
    def of(cls, plan: plans.Promotion) -> Account:
        """The account that a plan is about."""
        return cls(
            plan.role,
            plan.channel,
            ec2=aws.client("ec2", region=plan.region),
            ssm=aws.client("ssm", region=plan.region),
            region=plan.region,
            stack=plan.stack,
            step=plan.step,
        )

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
            with aws.asking(f"carry out the step {self._step}", region=self._region):
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
            with aws.asking("read the channel", region=self._region):
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
        root = f"{POINTER_ROOT}/{self.role}/"
        values = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=root)
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [root]}]
        described = self._ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
        texts = {
            found["Name"]: found.get("Description", "") for page in described for found in page["Parameters"]
        }
        return [
            Held(
                channel=found["Name"].removeprefix(root),
                image_id=found["Value"],
                since=found["LastModifiedDate"],
                source=pointer_source(texts.get(found["Name"], "")),
            )
            for page in values
            for found in page["Parameters"]
        ]

    def holds(self, channel: str) -> str | None:
        """The image that a channel holds, or None, by a read of that channel alone."""
        return Pointer("", self.role, channel, ssm=self._ssm).image_id()

    def tagged(self) -> dict[str, str]:
        """Our images of the role that have a channel's tag, and which."""
        pages = self._ec2.get_paginator("describe_images").paginate(
            Owners=["self"],
            Filters=[
                {"Name": f"tag:{TAG_ROLE}", "Values": [self.role]},
                {"Name": "tag-key", "Values": [TAG_CHANNEL]},
            ],
        )
        return {
            image["ImageId"]: tag["Value"]
            for page in pages
            for image in page["Images"]
            for tag in image["Tags"]
            if tag["Key"] == TAG_CHANNEL
        }

    def take_tag(self, *, but: str | None, fresh: Iterable[str] = ()) -> None:
        """Take the channel's tag from all images but one.

        Args:
            but: The image that keeps it.
            fresh: Images that may have got it just now, which a list of images may not show yet.
        """
        having = {image_id for image_id, name in self.tagged().items() if name == self.channel}
        unseen = set(fresh) - having - {but}
        for image_id in sorted((having | (self._ours(unseen) if unseen else set())) - {but}):
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
                self._ec2.create_tags(Resources=[image_id], Tags=[{"Key": TAG_CHANNEL, "Value": name}])
                self.log(f"added {image_id} to channel {name}")
                given = given or name == self.channel
        return given

    def record(self, versions: Iterable[PointerVersion]) -> None:
        """Tag the images that the channel has held, for the time when SSM has forgotten the pointer's versions."""
        for image_id in record_held(self._ec2, self.channel, versions):
            self.log(f"added {image_id} to the record of channel {self.channel}")

    def untag(self, image_id: str, channel: str) -> None:
        """Take the channel's tag away, if it still has that value."""
        self._ec2.delete_tags(Resources=[image_id], Tags=[{"Key": TAG_CHANNEL, "Value": channel}])
        self.log(f"removed {image_id} from channel {channel}")

    def _ours(self, image_ids: Iterable[str]) -> set[str]:
        """Those of some images that are there and ours: a pointer may name any."""
        fits = [{"Name": "image-id", "Values": sorted(image_ids)}]
        answer = self._ec2.describe_images(Owners=["self"], Filters=fits)
        return {image["ImageId"] for image in answer["Images"]}

    def _is_there(self, image_id: str) -> bool:
        """Whether a channel's image still exists: one may have been deregistered under another channel."""
        answer = self._ec2.describe_images(Filters=[{"Name": "image-id", "Values": [image_id]}])
        return bool(answer["Images"])
