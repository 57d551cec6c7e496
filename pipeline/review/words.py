"""Facts in words: the headline, the images, why a bake runs. Markdown, but no layout."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pipeline import markdown
from pipeline.channels.words import age
from pipeline.model import TAG_GIT_COMMIT
from pipeline.review.preview import UNKNOWN

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
    parts = [_image_part(facts, now), _template_part(facts), _replaced_part(facts)]
    return "; ".join(part for part in parts if part)


def _image_part(facts: Facts, now: datetime) -> str:
    if facts.before is None and facts.after is None:
        return ""
    old = image_words(facts, facts.before, now)
    kind = f"{markdown.plain(facts.role)} image"
    if facts.before == facts.after:
        return f"{kind} {old} stays"
    if facts.after == UNKNOWN:
        if facts.bake is not None and facts.bake.adopts is not None:
            return f"{kind} {old} → {_told(facts.bake.adopts, now)}, once it has passed validation"
        return f"{kind} {old} → a new one, if it passes validation"
    return f"{kind} {old} → {image_words(facts, facts.after, now)}"


def image_words(facts: Facts, image_id: str | None, now: datetime) -> str:
    """An image by id, with what is known of it."""
    if image_id is None:
        return "nothing"
    image = facts.images.get(image_id)
    return markdown.code(image_id) if image is None else _told(image, now)


def _told(image: Image, now: datetime) -> str:
    commit = image.tags.get(TAG_GIT_COMMIT, "")[:COMMIT_DIGITS]
    about = [
        markdown.plain(image.name),
        f"built {age(image.created, now)} ago",
        f"commit {markdown.plain(commit)}" if commit else "",
    ]
    return f"{markdown.code(image.id)} ({', '.join(part for part in about if part)})"


def _template_part(facts: Facts) -> str:
    before, after = facts.template
    if before is None:
        return "launch template is new" if after else ""
    if after is None:
        return "launch template goes"
    return (
        f"launch template v{before} → v{after}" if before != after else f"launch template stays at v{before}"
    )


def _replaced_part(facts: Facts) -> str:
    names = [markdown.code(change.name) for change in facts.replaced]
    if not names:
        return "nothing replaced"
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
    """What the program said, as a sentence."""
    return markdown.plain(f"{text[:1].upper()}{text[1:].rstrip('.')}.")


def built(image: Image, now: datetime) -> str:
    """When an image was built, in UTC, and how long ago that is."""
    return f"{datetime.fromisoformat(image.created):%Y-%m-%d %H:%M} ({age(image.created, now)} ago)"


def commit(image: Image) -> str:
    """The commit that an image was baked from, shortened; empty if it does not say."""
    return image.tags.get(TAG_GIT_COMMIT, "")[:COMMIT_DIGITS]


def bake(facts: Facts, now: datetime, *, most: int) -> list[str]:
    """Whether a bake will run, and why: a line, then its reasons."""
    if facts.bake is None:
        return []
    if facts.bake.adopts is not None:
        return [
            f"No bake: an image of the same content is there and is used, {_told(facts.bake.adopts, now)}."
        ]
    if facts.bake.first:
        return ["**A bake will run**: the first of this stack."]
    reasons = [markdown.plain(reason) for reason in facts.bake.reasons]
    more = [f"and {len(reasons) - most} more"] if len(reasons) > most else []
    return ["**A bake will run**, because of what goes into the image:", *reasons[:most], *more]


def rollback(facts: Facts, now: datetime) -> str:
    """What to go back to once the update is done."""
    if facts.rollback is None:
        return "After this update there is no earlier image that the channel could go back to."
    command = markdown.code(f"python -m pipeline rollback {facts.preview.stack}")
    return f"Going back after this update: to {_told(facts.rollback, now)}, by {command}."
