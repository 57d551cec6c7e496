"""The note: facts of one or more stacks as one text of Markdown that fits into a merge request."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline import markdown, visible
from pipeline.review import phrases
from pipeline.review.preview import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pipeline.model import Image
    from pipeline.review.facts import Facts
    from pipeline.review.preview import Change

LIMIT = 65_000
"""Characters. GitHub refuses a comment of more than 65,536; GitLab takes 1,000,000, which nobody reads."""

VALUE_LENGTH = 300
"""What is shown of one value."""

SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
NOT_KNOWN = "(known after the update)"


class Detail(NamedTuple):
    """How much is shown: rows of the table and lines of the diff a stack, reasons of a bake."""

    rows: int
    lines: int
    reasons: int


DETAILS = (Detail(60, 400, 20), Detail(60, 120, 12), Detail(40, 0, 8), Detail(0, 0, 4))
"""From the fullest to the barest; the first that fits is taken."""


def marker(project: str) -> str:
    """What a note begins with, so that the next one of the same project takes its place."""
    return f"<!-- golden-image note of {re.sub(r'[^A-Za-z0-9._/-]', '-', project)} -->"


def render(facts: Sequence[Facts], *, project: str, now: datetime, limit: int = LIMIT) -> str:
    """The note.

    Args:
        facts: One entry a stack; those whose preview failed come first.
        project: Names the note; one merge request holds one note a project.
        now: The present time, for ages.
        limit: Characters that it may have.
    """
    ordered = sorted(facts, key=lambda one: not one.preview.errors)
    text = ""
    for detail in DETAILS:
        text = _render(ordered, project, now, detail)
        if len(text) <= limit:
            return text
    end = "\n\n_The rest does not fit into a note; `pulumi preview` shows it._\n"
    return text[: limit - len(end)] + end


def _render(facts: Sequence[Facts], project: str, now: datetime, detail: Detail) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # only here

    # Markdown, not HTML: what comes from outside goes through markdown.code and markdown.plain.
    environment = Environment(  # noqa: S701
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("note.md.j2").render(
        marker=marker(project),
        title=f"{markdown.plain(project)}: what this change would do",
        stacks=[_stack(one, now, detail) for one in facts],
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _stack(facts: Facts, now: datetime, detail: Detail) -> dict[str, Any]:
    preview = facts.preview
    changed = preview.changed
    diff = _diff(changed, detail.lines)
    cut = ""
    if changed and not (detail.rows and detail.lines):
        cut = (
            f"The note would be too long with all of the {len(changed)} changes; `pulumi preview` shows them."
        )
    return {
        "stack": markdown.plain(preview.stack),
        "headline": phrases.headline(facts, now),
        "errors": _fence("\n\n".join(preview.errors), "text") if preview.errors else "",
        "images": [] if preview.errors else _images(facts, now),
        "bake": phrases.bake(facts, now, most=detail.reasons),
        "lines": [] if preview.errors else _lines(facts, now),
        "count": _count(changed),
        "table": [_row(change) for change in changed[: detail.rows]],
        "table_more": max(0, len(changed) - detail.rows),
        "diff": diff,
        "cut": cut,
    }


def _images(facts: Facts, now: datetime) -> list[list[str]]:
    """Rows of the table of images: what the channel holds before and after the update."""
    rows = []
    if facts.before:
        label = "now" if facts.after == facts.before else "before"
        rows.append([label, *_image_row(facts.before, facts.images.get(facts.before), now)])
    if facts.after and facts.after != facts.before:
        adopted = facts.bake.adopts if facts.bake else None
        if facts.after != UNKNOWN:
            rows.append(["after", *_image_row(facts.after, facts.images.get(facts.after), now)])
        elif adopted is not None:
            rows.append(["after", *_image_row(adopted.id, adopted, now)])
        else:
            rows.append(["after", "to be baked", "", "", "not validated yet"])
    return rows


def _image_row(image_id: str, image: Image | None, now: datetime) -> list[str]:
    if image is None:
        return [markdown.code(image_id), "", "", phrases.state(None)]
    name = f"{markdown.code(image_id)} {markdown.plain(image.name)}"
    commit = phrases.commit(image)
    return [name, phrases.built(image, now), markdown.code(commit) if commit else "", phrases.state(image)]


def _lines(facts: Facts, now: datetime) -> list[str]:
    lines = []
    if facts.pinned and facts.preview.changed:
        lines.append(f"Pinned by {markdown.code('golden-image:image')}.")
    # That the channel moves, and from where to where, the headline shows already.
    moves = f"channel {facts.channel}: "
    lines += [phrases.sentence(text) for text in facts.preview.said if not text.startswith(moves)]
    if facts.unasked is not None:
        lines.append(f"Image details are unavailable: {markdown.plain(facts.unasked)}.")
    elif facts.channel:
        lines.append(phrases.rollback(facts, now))
    return lines


def _count(changed: Sequence[Change]) -> str:
    if not changed:
        return ""
    numbers: dict[str, int] = {}
    for change in changed:
        numbers[change.operation] = numbers.get(change.operation, 0) + 1
    noun = "resource" if len(changed) == 1 else "resources"
    return f"{len(changed)} {noun}: " + ", ".join(f"{number} to {what}" for what, number in numbers.items())


def _row(change: Change) -> list[str]:
    sign = SIGNS.get(change.operation, "")
    return [f"{sign} {change.operation}".strip(), markdown.code(change.name), markdown.code(change.type)]


def _diff(changed: Sequence[Change], most: int) -> str:
    lines: list[str] = []
    for change in changed:
        # Of a new or a removed resource the table shows enough.
        if change.operation in ("create", "delete"):
            continue
        lines.append(f"  {change.name} ({change.type})")
        for prop in change.properties:
            lines += [
                f"{sign}   {prop.path}: {_value(value)}"
                for sign, value in (("-", prop.before), ("+", prop.after))
                if value is not None
            ]
    if not lines or not most:
        return ""
    more = [f"  … and {len(lines) - most} lines more"] if len(lines) > most else []
    return _fence("\n".join([*lines[:most], *more]), "diff")


def _value(text: str) -> str:
    one = text.replace(UNKNOWN, NOT_KNOWN).replace("\n", "\\n")
    return one if len(one) <= VALUE_LENGTH else f"{one[:VALUE_LENGTH]}… ({len(one)} characters)"


def _fence(text: str, language: str) -> str:
    """A block of code whose fence is longer than any in the text, and in which nothing hides."""
    text = "\n".join(visible.printable(line) for line in text.replace("\r\n", "\n").split("\n"))
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
