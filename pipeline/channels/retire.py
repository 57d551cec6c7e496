"""Which images may go, and their removal. The decision is pure: what was read goes in, reasons come out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.model import TAG_BAKE_KEY, TAG_KEEP, TAG_MANAGED_BY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.catalog import Catalog
    from pipeline.model import Image, PointerVersion, Snapshot


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What is kept.

    Attributes:
        history: The last so many images of each channel.
        age: Images younger than this.
        settled: How long the image in a channel must have been there before the one before it may go.
    """

    history: int = 3
    age: timedelta = timedelta(days=7)
    settled: timedelta = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Account:
    """What was read.

    Attributes:
        images: All of our images.
        histories: Pointer name to its record, newest first.
        used: Image id to what uses it: machines and launch template versions.
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


def plan(account: Account, limits: Limits) -> Plan:
    """Decide. Only images that a bake of this project made are ever candidates."""
    protected = _protected(account, limits)
    kept: dict[str, str] = {}
    going: list[Image] = []
    for image in sorted(account.images, key=lambda image: (image.created, image.id)):
        reason = protected.get(image.id) or _own_reason(image, account, limits)
        if reason:
            kept[image.id] = reason
        else:
            going.append(image)
    return Plan(kept, going, _orphans(account, limits))


def _protected(account: Account, limits: Limits) -> dict[str, str]:
    """Image id to why others need it; the first reason counts."""
    reasons: dict[str, str] = {}
    for name, history in account.histories.items():
        if history:
            reasons.setdefault(history[0].image_id, f"in {name}")
    for image_id, use in account.used.items():
        reasons.setdefault(image_id, f"used by {use}")
    for name, history in account.histories.items():
        images = list(dict.fromkeys(version.image_id for version in history))
        for image_id in images[: limits.history]:
            reasons.setdefault(image_id, f"among the last {limits.history} of {name}")
        if len(images) > 1 and account.now - _since(history) < limits.settled:
            reasons.setdefault(images[1], f"{name} left it only on {_since(history):%Y-%m-%d}")
    return reasons


def _since(history: Sequence[PointerVersion]) -> datetime:
    """Since when the channel holds what it holds, however often that was written."""
    since = history[0].when
    for version in history:
        if version.image_id != history[0].image_id:
            break
        since = version.when
    return since


def _own_reason(image: Image, account: Account, limits: Limits) -> str | None:
    """Why an image stays for its own sake."""
    if image.tags.get(TAG_MANAGED_BY) != "packer" or TAG_BAKE_KEY not in image.tags:
        return "not made by a bake"
    if TAG_KEEP in image.tags:
        return f"tag {TAG_KEEP}" + (f": {image.tags[TAG_KEEP]}" if image.tags[TAG_KEEP] else "")
    if account.now - _time(image.created) < limits.age:
        return f"younger than {limits.age.days} days"
    return None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _orphans(account: Account, limits: Limits) -> list[Snapshot]:
    """Snapshots of bakes whose image is gone; a young one may belong to a bake that still runs."""
    needed = {snapshot for image in account.images for snapshot in image.snapshots}
    return [
        snapshot
        for snapshot in account.snapshots
        if snapshot.id not in needed and account.now - snapshot.started >= limits.age
    ]


def carry_out(catalog: Catalog, decided: Plan, *, cap: int) -> list[str]:
    """Remove at most `cap` images, each with its snapshots, and what an earlier run left half done.

    Returns:
        Ids of what was removed.

    Raises:
        PipelineError: AWS refused; what is left then is done by the next run.
    """
    removed = []
    for snapshot in decided.snapshots:
        catalog.delete_snapshot(snapshot.id)
        removed.append(snapshot.id)
    for image in decided.images[:cap]:
        catalog.deregister(image.id)
        removed.append(image.id)
        for snapshot_id in image.snapshots:
            catalog.delete_snapshot(snapshot_id)
            removed.append(snapshot_id)
    return removed


def read(catalog: Catalog, now: datetime) -> Account:
    """Read all that the decision rests on.

    Raises:
        PipelineError: AWS could not be asked.
    """
    return Account(
        images=catalog.own_images(),
        histories={name: catalog.history_of(name) for name in catalog.pointers()},
        used=catalog.used_images(),
        snapshots=catalog.bake_snapshots(),
        now=now,
    )
