"""From a preview to what a reviewer wants to know."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.promote import history
from pipeline.review.preview import SAME, UNKNOWN, plan_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.review.preview import Change, Preview

POINTER = "aws:ssm/parameter:Parameter"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
STACK = "pulumi:pulumi:Stack"
NO_VERSION = frozenset({"tags", "tagsAll", "updateDefaultVersion", "defaultVersion"})
"""Inputs of a launch template whose change makes no version (provider aws 7.51)."""


@dataclass(frozen=True, kw_only=True)
class Bake:
    """A bake that the update will start.

    Attributes:
        first: Whether the stack has baked nothing yet.
        reasons: What changed the key, such as ``packer/scripts/clean.sh changed``.
        adopts: The image of the same content that is there already, or None: then Packer runs.
    """

    first: bool
    reasons: tuple[str, ...]
    adopts: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is to be known of one stack's preview.

    Attributes:
        preview: The preview.
        role: The image's role.
        channel: The channel that the stack promotes into; empty if the preview does not say.
        pinned: The image that the config pins, or None.
        before: Id of the image in the channel, or None.
        after: Id of the image that will be in it; `UNKNOWN` for one that is still to be baked.
        images: What is known of both.
        template: Version of the launch template before and after; None for one that is not there.
        bake: The bake that the update starts, or None.
        rollback: The image to go back to after the update, or None.
        unasked: Why AWS could not be asked, or None if it could.
    """

    preview: Preview
    role: str
    channel: str
    pinned: str | None
    before: str | None
    after: str | None
    images: Mapping[str, Image] = field(default_factory=dict)
    template: tuple[int | None, int | None] = (None, None)
    bake: Bake | None = None
    rollback: Image | None = None
    unasked: str | None = None

    @property
    def replaced(self) -> tuple[Change, ...]:
        """The resources that will be replaced."""
        return tuple(change for change in self.preview.changes if change.operation == "replace")


def gather(preview: Preview, account: Account) -> Facts:
    """The facts of a preview; what AWS does not answer is left out, and named."""
    config = preview.config
    role = config.get("golden-image:role", "")
    channel = config.get("golden-image:channel", "")
    before, after = _images(preview)
    bake = _bake(preview)
    found: dict[str, Image] = {}
    rollback: Image | None = None
    unasked: str | None = None
    if not preview.errors:
        try:
            found, rollback = _ask(
                account, role, channel, config.get("golden-image:from"), before=before, after=after
            )
            bake = _with_adopted(bake, preview, account)
        except PipelineError as error:
            unasked = error.what
    return Facts(
        preview=preview,
        role=role,
        channel=channel,
        pinned=config.get("golden-image:image") or None,
        before=before,
        after=after,
        images=found,
        template=_template(preview),
        bake=bake,
        rollback=rollback,
        unasked=unasked,
    )


def _images(preview: Preview) -> tuple[str | None, str | None]:
    pointer = preview.of_type(POINTER)
    if pointer is None:
        # A preview with nothing to do names the stack alone.
        stack = preview.of_type(STACK)
        held = _text(stack.outputs, "imageId") if stack is not None else None
        return held, held
    before = _text(pointer.outputs, "insecureValue")
    after = before if pointer.operation == SAME else _text(pointer.inputs[1], "insecureValue")
    return before, after


def _text(values: Mapping[str, Any], key: str) -> str | None:
    """A value that is a text; a secret, for one, is none."""
    value = values.get(key)
    return value if isinstance(value, str) else None


def _template(preview: Preview) -> tuple[int | None, int | None]:
    template = preview.of_type(TEMPLATE)
    if template is None:
        return None, None
    version = template.outputs.get("latestVersion")
    before = version if isinstance(version, int) else None
    if template.operation == "update" and before is not None:
        names = {change.path.partition(".")[0].partition("[")[0] for change in template.properties}
        return before, before + 1 if names - NO_VERSION else before
    return {SAME: (before, before), "delete": (before, None)}.get(template.operation, (before, 1))


def _ask(
    account: Account, role: str, channel: str, source: str | None, *, before: str | None, after: str | None
) -> tuple[dict[str, Image], Image | None]:
    """Both images, and the one that `rollback` would pick once the update is done."""
    wanted = [image for image in (before, after) if image and image != UNKNOWN]
    found = account.images.existing(sorted(set(wanted)))
    entries = history.read(account, role=role, channel=channel, source=source) if channel else []
    target = history.previous_good(entries, after)
    return found, target.image if target else None


def _bake(preview: Preview) -> Bake | None:
    step = preview.command("bake")
    if step is None or step.operation in (SAME, "delete"):
        return None
    old, new = (_plan(side) for side in step.inputs)
    if old and old.get("bakeKey") == new.get("bakeKey"):
        return None
    return Bake(first=not old, reasons=tuple(_reasons(old, new)) if old else ())


def _plan(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return plan_in(inputs.get("stdin")) or {}


def _reasons(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    reasons = []
    for kind, name in (("files", "packer/{}"), ("variables", "variable {}")):
        before, after = (_part(side, kind) for side in (old, new))
        for key in sorted(before.keys() | after.keys()):
            if key not in before:
                reasons.append(f"{name.format(key)} is new")
            elif key not in after:
                reasons.append(f"{name.format(key)} is gone")
            elif before[key] != after[key]:
                values = f": {_short(before[key])} → {_short(after[key])}" if kind == "variables" else ""
                reasons.append(f"{name.format(key)} changed{values}")
    for key, name in (("serial", "golden-image:bake.serial"), ("sourceImage", "the source image")):
        if old.get(key) != new.get(key):
            reasons.append(f"{name}: {_short(old.get(key))} → {_short(new.get(key))}")
    return reasons


def _part(plan: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found = plan.get(kind)
    return found if isinstance(found, dict) else {}


def _short(value: object) -> str:
    return visible.cut(str(value), visible.VALUE_LENGTH)


def _with_adopted(bake: Bake | None, preview: Preview, account: Account) -> Bake | None:
    step = preview.command("bake")
    if bake is None or step is None:
        return bake
    key = _plan(step.inputs[1]).get("bakeKey")
    images = account.images.baked(key) if isinstance(key, str) else []
    return Bake(first=bake.first, reasons=bake.reasons, adopts=images[0] if images else None)
