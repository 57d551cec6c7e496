"""The record of the images that a channel has held, beyond the hundred versions that SSM keeps of its pointer.

Each image that a channel came to hold has a tag of its own, ``Held-CHANNEL``: when that was for the first time. It
stays with the image, however often the pointer is written afterwards. The pointer's history is the finer record, with
every version and who wrote it; the tags take over where that ends.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipeline.model import TAG_ROLE, PointerVersion, held_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.model import Image

KEPT_VERSIONS = 100
"""How many versions of a parameter SSM keeps (Parameter Store's user guide, "Working with parameter versions")."""

NO_VERSION = 0
"""The version of an entry that SSM no longer has."""

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def first_times(record: Iterable[PointerVersion]) -> dict[str, datetime]:
    """Image id to when it was written first."""
    found: dict[str, datetime] = {}
    for entry in record:
        found[entry.image_id] = min(entry.when, found.get(entry.image_id, entry.when))
    return found


def held_times(images: Iterable[Image], role: str, channel: str) -> dict[str, datetime]:
    """Image id to when a channel came to hold it first, as tags say. A value that is not a time is left out."""
    found: dict[str, datetime] = {}
    for image in images:
        value = image.tags.get(held_tag(channel))
        when = _time(value) if value and image.tags.get(TAG_ROLE) == role else None
        if when is not None:
            found[image.id] = when
    return found


def held_in(images: Sequence[Image], pointers: Iterable[str]) -> dict[str, dict[str, datetime]]:
    """The same for several pointers: the parameter's name to that."""
    found = {}
    for name in pointers:
        role, _, channel = name.rpartition("/")
        found[name] = held_times(images, role.rpartition("/")[2], channel)
    return found


def union(history: Sequence[PointerVersion], held: Mapping[str, datetime]) -> list[PointerVersion]:
    """A pointer's versions, and before the oldest of them what tags say, newest first.

    Args:
        history: The versions that SSM has, newest first.
        held: Image id to when the channel came to hold it first.
    """
    # Tags have whole seconds.
    oldest = min((entry.when for entry in history), default=datetime.max.replace(tzinfo=UTC)).replace(
        microsecond=0
    )
    earlier = [
        PointerVersion(version=NO_VERSION, image_id=image_id, when=when, by="")
        for image_id, when in held.items()
        if when < oldest
    ]
    return [*history, *sorted(earlier, key=lambda entry: (entry.when, entry.image_id), reverse=True)]


def written(when: datetime) -> str:
    """A time as the tag has it."""
    return f"{when.astimezone(UTC):{_FORM}}"


def _time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
