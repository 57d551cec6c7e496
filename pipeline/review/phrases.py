"""Facts in words: the headline, the images, why a bake runs. Markdown without layout."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline import markdown
from pipeline.model import TAG_GIT_COMMIT
from pipeline.promote.preview_lines import age
from pipeline.review.preview import UNKNOWN
from pipeline.rollout import preview_lines

if TYPE_CHECKING:
    from pipeline.model import Image
    from pipeline.review.facts import Facts

NAMED = 4
"""How many replaced resources a headline names."""

COMMIT_DIGITS = 8


def headline(facts: Facts, now: datetime) -> str:
    """One stack's update in one sentence."""
    preview = facts.preview
    if preview.errors:
        return f"the preview failed: {markdown.plain(preview.errors[0].splitlines()[0])}"
    if not preview.changed:
        held = image_words(facts, facts.before, now)
        return f"nothing to do; channel {markdown.plain(facts.channel)} holds {held}"
    machines = next(filter(None, map(preview_lines.summary, preview.said)), None)
    parts = [_image_part(facts, now), _template_part(facts), machines, _replaced_part(facts, machines)]
    return "; ".join(part for part in parts if part)


def _image_part(facts: Facts, now: datetime) -> str:
    if facts.before is None and facts.after is None:
        return ""
    kind = f"{markdown.plain(facts.role)} image"
    old = f"{kind} {image_words(facts, facts.before, now)}"
    if facts.before == facts.after:
        return f"{old} stays"
    adopted = facts.bake.adopts if facts.bake is not None else None
    if facts.after == UNKNOWN and adopted is None and facts.before is None:
        return f"first {kind} will be baked; promoted if validation passes"
    new = image_words(facts, facts.after, now)
    if facts.after == UNKNOWN:
        new = "a new image" if adopted is None else described(adopted, now)
        new += ", promoted if validation passes"
    return f"first {kind}: {new}" if facts.before is None else f"{old} → {new}"


def image_words(facts: Facts, image_id: str | None, now: datetime) -> str:
    """An image by id, with its details."""
    if image_id is None:
        return "no image"
    image = facts.images.get(image_id)
    return markdown.code(image_id) if image is None else described(image, now)


def described(image: Image, now: datetime) -> str:
    """An image by id, with name, age and commit."""
    return f"{markdown.code(image.id)} ({_details(image, now)})"


def _details(image: Image, now: datetime) -> str:
    short = commit(image)
    about = [
        markdown.plain(image.name),
        f"built {age(image.created, now)} ago",
        f"commit {markdown.plain(short)}" if short else "",
    ]
    return ", ".join(part for part in about if part)


def _template_part(facts: Facts) -> str:
    before, after = facts.template
    if before is None:
        return "new launch template" if after else ""
    if after is None:
        return "launch template removed"
    return (
        f"launch template v{before} → v{after}" if before != after else f"launch template stays at v{before}"
    )


def _replaced_part(facts: Facts, machines: str | None) -> str:
    names = [markdown.code(change.name) for change in facts.replaced]
    if not names:
        return "" if facts.before is None or machines else "nothing replaced"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} replaced: {', '.join(names[:NAMED])}{more}"


def state(image: Image | None) -> str:
    """Whether an image may be used, in words."""
    if image is None:
        return "not found among our images"
    words = [f"validated {_when(image.validated)}" if image.validated else "**not validated**"]
    if image.revoked is not None:
        words.append(f"**revoked**: {markdown.plain(image.revoked)}")
    if image.state != "available":
        words.append(f"**{markdown.plain(image.state)}**")
    return ", ".join(words)


def _when(evidence: str) -> str:
    """The time that evidence begins with, as people write it; as it is, where somebody else wrote it."""
    time = evidence.partition(" ")[0]
    try:
        return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M}"
    except ValueError:
        return markdown.plain(time)


def sentence(text: str) -> str:
    """A line that the program printed, as a sentence."""
    return markdown.plain(f"{text[:1].upper()}{text[1:].rstrip('.')}.")


def built(image: Image, now: datetime) -> str:
    """When an image was built, in UTC, and how long ago that is."""
    return f"{datetime.fromisoformat(image.created):%Y-%m-%d %H:%M} ({age(image.created, now)} ago)"


def commit(image: Image) -> str:
    """The commit that an image was baked from, shortened; empty if its tags have none."""
    return image.tags.get(TAG_GIT_COMMIT, "")[:COMMIT_DIGITS]


def bake(facts: Facts, now: datetime, *, most: int) -> list[str]:
    """Whether a bake will run, and why: a line, then its reasons."""
    if facts.bake is None:
        return []
    if facts.bake.adopts is not None:
        return [f"No bake: {described(facts.bake.adopts, now)} has the same content and is used."]
    if facts.bake.first:
        return ["**A bake will run**: the first of this stack."]
    reasons = [markdown.plain(reason) for reason in facts.bake.reasons]
    more = [f"and {len(reasons) - most} more"] if len(reasons) > most else []
    return ["**A bake will run** because its inputs changed:", *reasons[:most], *more]


def rollback(facts: Facts, now: datetime) -> str:
    """How to roll back once the update is done."""
    if facts.rollback is None:
        return "After this update, the channel has no earlier image to roll back to."
    command = markdown.code(f"python -m pipeline rollback {facts.preview.stack}")
    restored = f"{markdown.code(facts.rollback.id)}, {_details(facts.rollback, now)}"
    return f"To roll back after this update, run {command} (restores {restored})."
