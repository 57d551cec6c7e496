"""Which images may go, and their removal. The decision is pure: what was read goes in, reasons come out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline import record
from pipeline.model import TAG_BAKE_KEY, TAG_BAKE_RUN, TAG_KEEP, TAG_MANAGED_BY, deployed_tag
from pipeline.promote.pointer import LAG_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.aws.account import Account
    from pipeline.model import Image, PointerVersion, Snapshot

NEEDED_JUST_NOW = "needed a moment ago"
SNAPSHOT_IN_USE = "InvalidSnapshot.InUse"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is kept.

    Attributes:
        history: Number of most recent images to keep per channel.
        age: Images younger than this.
        settled: How long the image in a channel must have been there before the one before it may go. Where the
            channel's machines are a group, it must have come to run on them instead.
        unfinished: What a bake has left half done may go after this; none lasts so long.
    """

    history: int = 3
    age: timedelta = timedelta(days=7)
    settled: timedelta = timedelta(days=7)
    unfinished: timedelta = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """What was read.

    Attributes:
        images: All of our images.
        histories: Pointer name to its record, newest first: SSM's versions, and before those what images' tags say.
        used: Image id to what uses it: channels, machines and launch template versions.
        snapshots: Our snapshots that Packer made.
        now: The time of the reading, in UTC.
    """

    images: Sequence[Image]
    histories: Mapping[str, Sequence[PointerVersion]]
    used: Mapping[str, str]
    snapshots: Sequence[Snapshot]
    now: datetime


@dataclass(frozen=True)
class Plan:
    """What would be done.

    Attributes:
        kept: Image id to the reason why it stays.
        images: Images that may go, oldest first.
        snapshots: Snapshots that a half-done removal left: their image is gone.
    """

    kept: Mapping[str, str]
    images: Sequence[Image]
    snapshots: Sequence[Snapshot]


def plan(inventory: Inventory, limits: Limits) -> Plan:
    """Decide. Only images that a bake of this project made are ever candidates."""
    protected = _protected(inventory, limits)
    kept: dict[str, str] = {}
    going: list[Image] = []
    for image in sorted(inventory.images, key=lambda image: (image.created, image.id)):
        reason = protected.get(image.id) or _own_reason(image, inventory, limits)
        if reason:
            kept[image.id] = reason
        else:
            going.append(image)
    return Plan(kept, going, _orphans(inventory, limits))


def _protected(inventory: Inventory, limits: Limits) -> dict[str, str]:
    """Image id to why others need it; the first reason counts."""
    reasons: dict[str, str] = {}
    for name, history in inventory.histories.items():
        if history:
            reasons.setdefault(history[0].image_id, f"in {name}")
    for image_id, use in inventory.used.items():
        reasons.setdefault(image_id, f"used by {use}")
    for name, history in inventory.histories.items():
        images = list(dict.fromkeys(version.image_id for version in history))
        for image_id in images[: limits.history]:
            reasons.setdefault(image_id, f"among the last {limits.history} of {name}")
        deployed = _deployed(name, images, inventory)
        if deployed:
            for image_id in _until_deployed(images, deployed):
                reasons.setdefault(image_id, f"used until image {images[0]} is deployed in {name}")
        elif len(images) > 1 and inventory.now - _since(history) < limits.settled:
            reasons.setdefault(images[1], f"{name} left it only on {_since(history):%Y-%m-%d}")
    return reasons


def _deployed(name: str, images: Sequence[str], inventory: Inventory) -> set[str]:
    """Those of a channel's images that its machines run or have run, as tags say; none where it has no group."""
    key = deployed_tag(name.rpartition("/")[2])
    return {image.id for image in inventory.images if key in image.tags} & set(images)


def _until_deployed(images: Sequence[str], deployed: set[str]) -> Iterator[str]:
    """The images that machines may still run: from the one before the present one back to the first deployed one.

    None if the present one is deployed.
    """
    if images[0] in deployed:
        return
    for image_id in images[1:]:
        yield image_id
        if image_id in deployed:
            return


def _since(history: Sequence[PointerVersion]) -> datetime:
    """Since when the channel holds what it holds, however often that was written."""
    since = history[0].when
    for version in history:
        if version.image_id != history[0].image_id:
            break
        since = version.when
    return since


def _own_reason(image: Image, inventory: Inventory, limits: Limits) -> str | None:
    """Why an image stays for its own sake."""
    finished = TAG_BAKE_KEY in image.tags
    if image.tags.get(TAG_MANAGED_BY) != "packer" or not (finished or TAG_BAKE_RUN in image.tags):
        return "not made by a bake"
    if TAG_KEEP in image.tags:
        return f"tag {TAG_KEEP}" + (f": {image.tags[TAG_KEEP]}" if image.tags[TAG_KEEP] else "")
    if image.state == "disabled" or image.protected:
        return "disabled" if image.state == "disabled" else "protected from deregistration"
    age = inventory.now - _time(image.created)
    if not finished:
        return "of a bake that has not ended, or not long ago" if age < limits.unfinished else None
    return f"younger than {limits.age.days} days" if age < limits.age else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _orphans(inventory: Inventory, limits: Limits) -> list[Snapshot]:
    """Snapshots of bakes whose image is gone; a young one may belong to a bake that still runs."""
    needed = {snapshot for image in inventory.images for snapshot in image.snapshots}
    return [
        snapshot
        for snapshot in inventory.snapshots
        if snapshot.id not in needed
        and inventory.now - snapshot.started >= (limits.age if snapshot.finished else limits.unfinished)
    ]


@dataclass(frozen=True)
class Removal:
    """What was done.

    Attributes:
        removed: Ids of what was removed.
        refused: Id to what EC2 said, of what it refused.
        in_use: Snapshots that something in this account still uses, such as an image in the Recycle Bin.
    """

    removed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    in_use: dict[str, str] = field(default_factory=dict)

    def note(self, thing: str, refusal: str | None) -> bool:
        """Note the end of one removal; returns whether the thing is gone."""
        if refusal is None:
            self.removed.append(thing)
        elif refusal.startswith(SNAPSHOT_IN_USE):
            self.in_use[thing] = refusal
        else:
            self.refused[thing] = refusal
        return refusal is None


def carry_out(account: Account, decided: Plan, *, cap: int) -> Removal:
    """Remove at most `cap` images, each with its snapshots, and what an earlier run left half done.

    What EC2 refuses stays, and the rest goes on.

    Raises:
        PipelineError: AWS could not be asked; what is left then is done by the next run.
    """
    done = Removal()
    for snapshot in decided.snapshots:
        done.note(snapshot.id, account.images.delete_snapshot(snapshot.id))
    gone = 0
    for image in decided.images:
        if cap in (gone, len(done.refused)):
            break
        if not done.note(image.id, account.images.deregister(image.id)):
            continue
        gone += 1
        for snapshot_id in image.snapshots:
            done.note(snapshot_id, account.images.delete_snapshot(snapshot_id))
    return done


def confirmed(account: Account, first: Plan, limits: Limits) -> Plan:
    """Read and decide once more, after as long as a read may lag: only what both decisions let go may go.

    What was promoted, launched or tagged with Keep just before the first reading may not show in it.

    Raises:
        PipelineError: AWS could not be asked.
    """
    if not (first.images or first.snapshots):
        return first
    time.sleep(LAG_SECONDS)
    second = plan(read(account, datetime.now(UTC)), limits)
    free = {image.id for image in first.images} | {snapshot.id for snapshot in first.snapshots}
    return Plan(
        {**second.kept, **{image.id: NEEDED_JUST_NOW for image in second.images if image.id not in free}},
        [image for image in second.images if image.id in free],
        [snapshot for snapshot in second.snapshots if snapshot.id in free],
    )


def read(account: Account, now: datetime) -> Inventory:
    """Read all that the decision rests on.

    Raises:
        PipelineError: AWS could not be asked.
    """
    images = account.images.ours()
    pointers = account.channels.pointers()
    held = record.held_in(images, pointers)
    return Inventory(
        images=images,
        histories={name: record.union(account.channels.history_of(name), held[name]) for name in pointers},
        # A history may lag behind the list of pointers.
        used={**{image_id: name for name, image_id in pointers.items()}, **account.machines.used_images()},
        snapshots=account.images.snapshots(),
        now=now,
    )
