"""What `retire` prints for people: what stays by its reasons, what goes, and what is left for the next run."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.operate.retire import Plan, Removal

NAMED = 3
"""A reason with no more images than these names them."""


def lines(decided: Plan, done: Removal | None, *, cap: int, each: bool) -> Iterator[str]:
    """The report.

    Args:
        decided: What was decided.
        done: What was done; None if it was only asked.
        cap: How many images one run removes at the most.
        each: A line for every image, however many there are.
    """
    yield from _kept(decided.kept, each=each)
    removed = set(done.removed) if done else set()
    touched = removed | (set(done.refused) | set(done.in_use) if done else set())
    going = [image for image in decided.images if each or image.id in touched]
    if not going:
        going = list(decided.images[:cap])
    for image in going:
        yield f"  {_word(image.id, removed)} {image.id}  {image.name}, {image.created[:10]}"
    if len(decided.images) > len(going):
        yield f"  retire  {len(decided.images) - len(going)} more images; --all lists them"
    for snapshot in decided.snapshots:
        yield f"  {_word(snapshot.id, removed)} {snapshot.id}, whose image is gone"
    if done is None:
        if decided.images or decided.snapshots:
            yield f"nothing has been removed; --yes does it, at most {cap} images in one run"
        return
    yield from _result(decided, done)


def left(decided: Plan, done: Removal) -> int:
    """How many images that may go are there still."""
    return len(decided.images) - sum(image.id in done.removed for image in decided.images)


def _kept(kept: Mapping[str, str], *, each: bool) -> Iterator[str]:
    if each:
        for image_id, reason in kept.items():
            yield f"  keep    {image_id}  {reason}"
        return
    groups: dict[str, list[str]] = defaultdict(list)
    for image_id, reason in kept.items():
        groups["used by machines or launch templates" if reason.startswith("used by ") else reason].append(
            image_id
        )
    for reason, images in groups.items():
        names = f": {', '.join(images)}" if len(images) <= NAMED else ""
        yield f"  keep    {len(images)} {_images(len(images))}, {reason}{names}"


def _result(decided: Plan, done: Removal) -> Iterator[str]:
    for thing, said in done.in_use.items():
        yield f"  keep    {thing}  in use by another image, or by one in the Recycle Bin ({said})"
    for thing, said in done.refused.items():
        yield f"  refused {thing}  {said}"
    images = sum(thing.startswith("ami-") for thing in done.removed)
    snapshots = len(done.removed) - images
    rest = left(decided, done)
    more = f"; {rest} {_images(rest)} left to remove: run it again, or with a larger --cap" if rest else ""
    yield f"removed {images} {_images(images)} and {snapshots} snapshot{'' if snapshots == 1 else 's'}{more}"


def _images(count: int) -> str:
    return "image" if count == 1 else "images"


def _word(thing: str, removed: set[str]) -> str:
    return "removed" if thing in removed else "retire "
