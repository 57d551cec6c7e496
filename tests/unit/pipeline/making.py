"""Images, pointers and accounts as the tests of the pipeline want them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.aws.account import Account
from pipeline.aws.channels import Channels
from pipeline.aws.clients import Session
from pipeline.aws.groups import Groups
from pipeline.aws.images import Images
from pipeline.aws.templates import Templates
from pipeline.model import Image, PointerVersion
from pipeline.promote.standing import Standing
from pipeline.scaling import Group, Version
from pipeline.settings.request import Request

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

EVIDENCE = "2026-01-31T12:00:00Z suite x report y"
GOOD = Image(
    id="ami-0123456789abcdef0",
    name="web-base-1",
    owner="111122223333",
    allowed_owner=True,
    state="available",
    architecture="x86_64",
    created="2026-01-31T12:00:00.000Z",
    tags={"Role": "web", "Validated": EVIDENCE},
)


def image(image_id: str = GOOD.id, **changes: Any) -> Image:
    """A good image of role web with another id and other values."""
    return replace(GOOD, id=image_id, **changes)


def version(number: int, image_id: str, *labels: str, minute: int | None = None) -> PointerVersion:
    """A version of a pointer, written a minute after the one before."""
    when = NOON + timedelta(minutes=number - 1 if minute is None else minute)
    return PointerVersion(
        version=number, image_id=image_id, when=when, by="arn:x", description="d", labels=labels
    )


def standing(*record: str | tuple[str, ...] | PointerVersion, stack: str = "prod") -> Standing:
    """A channel prod of role web that has held these images, the oldest first, each with its labels."""
    versions = [
        one if isinstance(one, PointerVersion) else version(number, *([one] if isinstance(one, str) else one))
        for number, one in enumerate(record, 1)
    ]
    return Standing(stack=stack, role="web", channel="prod", record=versions[::-1])


class Known(Account):
    """An account that holds these images, and whose channels of role web hold or have held these; it notes its reads.

    Args:
        images: Its images.
        history: What its channels have held, newest first.
        pointers: Channel to the id of the image that it holds.
        histories: The same as `history` for channels of their own.
        groups: The Auto Scaling groups that there are.
        launched: Version of a launch template to the id of its image.
    """

    def __init__(
        self,
        *images: Image,
        history: Sequence[PointerVersion] = (),
        pointers: Mapping[str, str] | None = None,
        histories: Mapping[str, Sequence[PointerVersion]] | None = None,
        groups: Sequence[Group] = (),
        launched: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(region="eu-west-1")
        self.reads: list[str] = []
        self.images = _Images(images, self.reads)
        self.channels = _Channels(history, pointers or {}, self.reads, histories or {})
        self.groups = _Groups(groups, self.reads)
        self.templates = _Templates(launched or {})


class _Images(Images):
    def __init__(self, images: Sequence[Image], reads: list[str]) -> None:
        super().__init__(Session(region="eu-west-1"))
        self._by_id, self._reads = {one.id: one for one in images}, reads

    def find(self, image_id: str, owners: Sequence[str] = ("self",)) -> Image | None:
        self._reads.append(image_id)
        return self._by_id.get(image_id)

    def existing(self, image_ids: Sequence[str]) -> dict[str, Image]:
        return {key: self._by_id[key] for key in image_ids if key in self._by_id}

    def held_before(self, role: str, channel: str) -> dict[str, datetime]:
        return {}

    def baked(self, bake_key: str) -> list[Image]:
        self._reads.append(f"baked {bake_key}")
        return [one for one in self._by_id.values() if one.tags.get("BakeKey") == bake_key]


class _Channels(Channels):
    def __init__(
        self,
        record: Sequence[PointerVersion],
        pointers: Mapping[str, str],
        reads: list[str],
        records: Mapping[str, Sequence[PointerVersion]],
    ) -> None:
        super().__init__(Session(region="eu-west-1"))
        self._record, self._pointers, self._reads, self._records = record, pointers, reads, records

    def image_id(self, role: str, channel: str) -> str | None:
        self._reads.append(f"{role}/{channel}")
        return self._pointers.get(channel)

    def history(self, role: str, channel: str) -> list[PointerVersion]:
        self._reads.append(f"history of {channel}")
        return list(self._records.get(channel, self._record))


class _Groups(Groups):
    def __init__(self, groups: Sequence[Group], reads: list[str]) -> None:
        super().__init__(Session(region="eu-west-1"))
        self._groups, self._reads = {group.name: group for group in groups}, reads

    def find(self, name: str) -> Group | None:
        self._reads.append(f"group {name}")
        return self._groups.get(name)


class _Templates(Templates):
    def __init__(self, launched: Mapping[str, str]) -> None:
        super().__init__(Session(region="eu-west-1"))
        self._launched = launched

    def data(self, version: Version) -> Mapping[str, Any] | None:
        image = self._launched.get(version.number)
        return {"ImageId": image} if image else None


REQUEST = Request(
    stack="prod",
    stack_file="Pulumi.prod.yaml",
    role="web",
    channel="prod",
    architecture="x86_64",
    owners=("self",),
    pin=None,
    source_channel="candidate",
    upstream="candidate",
)
"""What stack prod asks for: what channel candidate holds."""
