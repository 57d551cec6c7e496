"""The command `rollback`: a channel's record, and one line in a stack file. Touches nothing in AWS."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline import visible
from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.model import TAG_GIT_COMMIT, deployed_tag
from pipeline.promote import history
from pipeline.settings import load
from pipeline.settings.stackfile import PIN, StackFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.promote.history import Entry

WIDTH_WITHOUT_TERMINAL = 160
GOOD = "an image that exists, is validated and neither revoked nor rejected"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it.

    Attributes:
        role: The stack's role.
        channel: The channel that it promotes into.
        entries: The channel's record, newest first.
        picked: The entry to go back to.
        before: The stack file as it was.
        after: The stack file with the pin; the same if it was there already.
    """

    role: str
    channel: str
    entries: Sequence[Entry]
    picked: Entry
    before: StackFile
    after: StackFile

    @property
    def changed(self) -> bool:
        """Whether the stack file becomes another."""
        return self.before.text != self.after.text


def run(*, stack: str, config_file: Path, image_id: str | None = None) -> Outcome:
    """Read the record of a stack's channel, pick an image, and put the pin into the stack file's text.

    Nothing is written: a person sees the change first (`show`), then it is made (``outcome.after.write()``).

    Args:
        stack: The stack's name.
        config_file: The stack's config file.
        image_id: An image of the record; None picks the previous good one.

    Raises:
        PipelineError: There is nothing to go back to, or the image cannot be.
    """
    file = StackFile.read(config_file)
    settings = load.read(stack, config_file)
    role, channel = settings.role, settings.channel
    account = Account(region=settings.region, profile=settings.profile)
    entries = history.read(account, role=role, channel=channel, source=settings.source)
    if not entries:
        raise PipelineError(
            f"channel {channel} of role {role} has no history",
            allowed="a channel that has held an image",
            change="run `pulumi up` on its stack first",
        )
    picked = _pick(entries, image_id, channel)
    after = file.with_pin(picked.pointer.image_id)
    return Outcome(role=role, channel=channel, entries=entries, picked=picked, before=file, after=after)


def show(outcome: Outcome, stack: str) -> None:
    """Print for a person: the record, the change as a diff, and what does it.

    Raises:
        OSError: Standard output takes no more.
    """
    console = Console(width=None if sys.stdout.isatty() else WIDTH_WITHOUT_TERMINAL)
    title = f"channel {outcome.channel} of role {outcome.role}"
    console.print(_table(outcome, visible.one_line(title)))
    file, image_id = outcome.before.path, outcome.picked.pointer.image_id
    if not outcome.changed:
        console.print(Text(f"{file} already pins {image_id}; run `pulumi up` to apply it"))
    else:
        console.print(Text(outcome.before.diff(outcome.after)))
        console.print(
            Text(
                f"{file} now pins {image_id}; nothing has changed in AWS. "
                f"Review and merge it, then `pulumi up` on stack {stack} does it. "
                "While the line is there, the stack takes no newer image."
            )
        )
    sys.stdout.flush()


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The same for scripts: ``channel``, ``role``, ``file``, ``changed``, ``picked``, ``history`` (newest first)."""
    return {
        "channel": outcome.channel,
        "role": outcome.role,
        "file": str(outcome.before.path),
        "changed": outcome.changed,
        "picked": outcome.picked.pointer.image_id,
        "history": [_row(entry, outcome.channel) for entry in outcome.entries],
    }


def _row(entry: Entry, channel: str) -> dict[str, Any]:
    image = entry.image
    return {
        "version": entry.pointer.version or None,  # none that SSM still has
        "when": f"{entry.pointer.when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "by": entry.pointer.by,
        "imageId": entry.pointer.image_id,
        "name": image.name if image else None,
        "gitCommit": image.tags.get(TAG_GIT_COMMIT) if image else None,
        "validated": image.validated if image else None,
        "revoked": image.revoked if image else None,
        "rejected": image.rejected if image else None,
        "deployed": image.tags.get(deployed_tag(channel)) if image else None,
        "current": entry.current,
        "obstacle": entry.obstacle,
    }


def _pick(entries: Sequence[Entry], image_id: str | None, channel: str) -> Entry:
    if image_id is None:
        found = history.previous_good(entries)
        if found is None:
            raise PipelineError(
                f"channel {channel} has no earlier image that it could go back to",
                seen="\n".join(
                    f"{entry.pointer.image_id}: {'in the channel now' if entry.current else entry.obstacle}"
                    for entry in entries
                ),
                allowed=GOOD,
                change=f"pin any validated image by hand: {PIN} in the stack file",
            )
        return found
    found = next((entry for entry in entries if entry.pointer.image_id == image_id), None)
    if found is None:
        raise PipelineError(
            f"channel {channel} has never held {image_id}",
            allowed=", ".join(dict.fromkeys(entry.pointer.image_id for entry in entries)),
            change=f"one of these; or pin another by hand: {PIN} in the stack file",
        )
    if found.obstacle is not None:
        raise PipelineError(
            f"channel {channel} cannot go back to {image_id}",
            seen=found.obstacle,
            allowed=GOOD,
            change="without an image, the command pins the previous good one",
        )
    return found


def _table(outcome: Outcome, title: str) -> Table:
    """The record; when an image was deployed only in a channel whose machines were."""
    deployed = {
        entry.pointer.image_id: entry.image.tags[deployed_tag(outcome.channel)].partition(" ")[0]
        for entry in outcome.entries
        if entry.image is not None and deployed_tag(outcome.channel) in entry.image.tags
    }
    table = Table(title=title, title_justify="left")
    columns = ["", "when (UTC)", "by", "image", "name", "commit", "validated"]
    for column in (*columns, *(["deployed"] if deployed else []), "state"):
        table.add_column(column, overflow="fold")
    for entry in outcome.entries:
        image = entry.image
        texts = [
            entry.pointer.by.rpartition(":")[2],
            entry.pointer.image_id,
            image.name if image else "",
            (image.tags.get(TAG_GIT_COMMIT, "") if image else "")[:12],
            (image.validated or "" if image else "").partition(" ")[0],
            *([deployed.get(entry.pointer.image_id, "")] if deployed else []),
            "now" if entry.current else entry.obstacle or "good",
        ]
        table.add_row(
            "→" if entry is outcome.picked else "",
            f"{entry.pointer.when:%Y-%m-%d %H:%M}",
            *(Text(visible.one_line(text)) for text in texts),
        )
    return table
