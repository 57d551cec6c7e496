"""Whether a channel stands where its stack left it: one comparison for the preview, the steps and the doctor. Pure.

SSM has no conditional write, and what a stack's state holds says nothing of what others wrote. So a stack leaves a
label on the pointer's version that it wrote or took over last: ``golden-image.STACK.WORD``, where the word is eight
hexadecimal digits of that promotion. A version that is written later has no label, and a label goes with a deleted
parameter. So the latest version has a stack's label exactly if nobody else has written since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.model import plain_description, pointer_name, returned_from, with_word
from pipeline.record import KEPT_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.model import PointerVersion

LABELS = "golden-image."
"""What the labels of all stacks begin with."""

ACKNOWLEDGED = "acknowledged"
"""The word of a version that a person has confirmed: its stack may replace it."""

_NAME_DIGITS = 70
"""How much of a stack's name fits into a label of 100 characters at the most."""


def label(stack: str, word: str) -> str:
    """A stack's label."""
    return f"{LABELS}{stack[:_NAME_DIGITS]}.{word}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The version that a claim found.

    Attributes:
        version: Its number; 0 if there was no pointer.
        when: When it was written, ISO 8601; empty if there was no pointer.
    """

    version: int
    when: str

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Seen:
        """From JSON."""
        return cls(version=int(plan["version"]), when=str(plan.get("when") or ""))


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A channel as SSM has it, seen by one stack.

    Attributes:
        stack: The stack's name.
        role: The role.
        channel: The channel that it promotes into.
        record: The pointer's versions, newest first; none if there is no pointer.
    """

    stack: str
    role: str
    channel: str
    record: Sequence[PointerVersion]

    @property
    def latest(self) -> PointerVersion | None:
        """The version that the pointer is at."""
        return self.record[0] if self.record else None

    @property
    def image_id(self) -> str | None:
        """The image that the channel holds, or None."""
        return self.record[0].image_id if self.record else None

    @property
    def seen(self) -> Seen:
        """The latest version, for a later look."""
        if not self.record:
            return Seen(version=0, when="")
        return Seen(version=self.record[0].version, when=stamp(self.record[0]))

    @property
    def word(self) -> str | None:
        """The word of the label that a stack of this name left on the latest version, or None.

        A write whose answer was lost is made again by the provider, and SSM writes both late: the second one may come
        after the label. It has the same image, and the word in its description. So has the second of two updates one
        right after the other, if the first one's write came late and was labelled. So has a return after a roll-out
        that failed, whose description names the image before and the one that it goes back to.
        """
        for number, entry in enumerate(self.record):
            latest = self.record[0]
            word = min(self._words([entry]) - {ACKNOWLEDGED}, default=None)
            same = entry.image_id == latest.image_id
            same = same or returned_from(latest.description) == (entry.image_id, latest.image_id)
            if word is not None and (number == 0 or (same and latest.has_word(word))):
                return word
            if not same or any(name.startswith(LABELS) for name in entry.labels):
                break
        return None

    @property
    def signed(self) -> bool:
        """Whether a stack of this name has left its label on the latest version itself."""
        return bool(self._words(self.record[:1]) - {ACKNOWLEDGED})

    @property
    def acknowledged(self) -> bool:
        """Whether a person has confirmed that this stack may replace the latest version."""
        return ACKNOWLEDGED in self._words(self.record[:1])

    @property
    def labelled(self) -> bool:
        """Whether any stack has left a label: versions before the first one say nothing of who wrote them."""
        return any(name.startswith(LABELS) for entry in self.record for name in entry.labels)

    @property
    def moved(self) -> bool:
        """Whether somebody else has written the latest version, as far as names and labels show."""
        return self.labelled and self.word is None and not self.acknowledged

    def _words(self, entries: Sequence[PointerVersion]) -> set[str]:
        start = label(self.stack, "")
        names = [name.removeprefix(start) for e in entries for name in e.labels if name.startswith(start)]
        return {word for word in names if "." not in word}

    def since(self, seen: Seen) -> list[PointerVersion]:
        """What was written after a version was seen, the oldest first: by number, or by time.

        A pointer that was deleted and made anew counts from 1 again; a read may lag behind, and not show that version.
        """
        entries = reversed(self.record)
        if seen.version == 0:
            return list(entries)
        when = datetime.fromisoformat(seen.when)
        return [entry for entry in entries if entry.version > seen.version or entry.when > when]

    def tenure(self) -> tuple[datetime, str | None]:
        """Since when the channel has held its image without a break, in UTC, and what it held before.

        The second is None where nothing is known. There must be a version.
        """
        held = self.record[0].image_id
        before = next((n for n, entry in enumerate(self.record) if entry.image_id != held), len(self.record))
        earlier = self.record[before].image_id if before < len(self.record) else None
        return self.record[before - 1].when.astimezone(UTC), earlier

    def holds(self, image_id: str, description: str) -> bool:
        """Whether the channel holds that image, with that description but for a promotion's word."""
        latest = self.latest
        return (
            latest is not None
            and latest.image_id == image_id
            and plain_description(latest.description) == description
        )

    def promised(self, image_id: str, description: str, new: str) -> str:
        """The word of the label that a promotion is to leave: the present one if all is as wanted, else a new one.

        So the plan of a promotion's steps differs, and they run, exactly if the pointer may be written.
        """
        return self.word if self.word is not None and self.holds(image_id, description) else new

    def described(self, image_id: str, description: str, new: str) -> str:
        """The description that a pointer gets: the present one if it holds the image, else one with a new word.

        So the pointer is written whenever it does not hold the image, also where the stack's state says that it does.
        """
        if self.holds(image_id, description):
            return self.record[0].description
        return with_word(description, new)

    def oldest(self) -> Standing:
        """The same with its oldest version alone."""
        return replace(self, record=self.record[-1:])

    def refusal(self, image_id: str, stack_file: str | None = None) -> PipelineError | None:
        """Why this stack may not write that image, as far as names and labels show; or None.

        A channel without any label is left to the step `claim`, which knows what the stack did last.
        """
        if self.image_id == image_id:
            return None
        return self.not_mine(image_id, stack_file) if self.moved else self.blocked()

    def blocked(self) -> PipelineError | None:
        """The refusal of the next version, if a label that is not a stack's is on the oldest one; or None.

        SSM keeps a limited number of versions, and refuses the next one while the oldest has a label (Parameter Store
        user guide).
        """
        foreign = [] if len(self.record) < KEPT_VERSIONS else _foreign(self.record[-1])
        if not foreign:
            return None
        name, version = pointer_name(self.role, self.channel), self.record[-1].version
        return PipelineError(
            f"{name} can have no more versions: SSM keeps {KEPT_VERSIONS}, and the oldest has a label",
            seen=f"version {version} has the label {', '.join(foreign)}",
            allowed="an oldest version without a label",
            change=f"aws ssm unlabel-parameter-version --name {name} --parameter-version {version} "
            f"--labels {' '.join(foreign)}; or move the label to a newer version",
        )

    def may_replace(self, image_id: str, last: Mapping[str, Any]) -> bool:
        """Whether this stack may write that image, by its own record.

        Args:
            image_id: The image.
            last: What its last claim returned; empty if there was none.
        """
        latest = self.latest
        if latest is None or latest.image_id == image_id or self.acknowledged:
            return True
        if "label" not in last:
            # Of a version of this project that left no labels.
            return not self.labelled and latest.image_id in (last.get("imageId"), last.get("displaces"))
        if self.word is not None and self.word == last["label"]:
            return True
        seen = Seen.of(last)
        if self.seen == seen:
            return True
        if any(name.startswith(LABELS) for name in latest.labels):
            return False
        # A write of its own that an update did not live to label.
        written = self.since(seen)
        return bool(written) and all(entry.image_id == last["imageId"] for entry in written)

    def not_mine(self, image_id: str, stack_file: str | None = None) -> PipelineError:
        """The refusal to replace the latest version, and the way out."""
        latest = self.record[0]
        return PipelineError(
            f"channel {self.channel} holds an image that this stack did not put there; not overwriting it",
            seen=f"{pointer_name(self.role, self.channel)} {describe(latest)}",
            allowed=f"a version that stack {self.stack} wrote, or {image_id}",
            change=f"{self.way_out(latest)}\n"
            f"to keep {latest.image_id}: `golden-image:image: {latest.image_id}` in "
            f"{stack_file or f'Pulumi.{self.stack}.yaml'}, then `pulumi up`\n"
            "if two stacks promote into this channel: give each one of its own",
        )

    def way_out(self, entry: PointerVersion) -> str:
        """What lets this stack replace a version."""
        return f"to replace {entry.image_id}: {self.confirmation(entry)}, then `pulumi up`"

    def confirmation(self, entry: PointerVersion) -> str:
        """The command that confirms a version."""
        return f"`python -m pipeline adopt {self.stack} --version {entry.version}`"


def stamp(entry: PointerVersion) -> str:
    """When a version was written, ISO 8601 in UTC."""
    return entry.when.astimezone(UTC).isoformat()


def describe(entry: PointerVersion) -> str:
    """A version in words: number, image, time, identity, and the stack that labelled it."""
    who = f" by {entry.by}" if entry.by else ""
    stacks = {
        name.removeprefix(LABELS).rpartition(".")[0] for name in entry.labels if name.startswith(LABELS)
    }
    of = f", label of stack {', '.join(sorted(stacks))}" if stacks else ""
    return (
        f"version {entry.version}: {entry.image_id}, written {entry.when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        f"{who}{of}"
    )


def _foreign(entry: PointerVersion) -> list[str]:
    return [name for name in entry.labels if not name.startswith(LABELS)]
