"""What a preview says in words, in addition to the engine's own diff: which image moves where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.promote import soak
from pipeline.promote.standing import describe

if TYPE_CHECKING:
    from pipeline.aws.account import Account
    from pipeline.model import Image
    from pipeline.promote.select import Choice
    from pipeline.promote.standing import Standing
    from pipeline.settings.request import Request


def about(choice: Choice, request: Request, standing: Standing, account: Account, now: datetime) -> list[str]:
    """Lines about a promotion: nothing if the channel holds the image already and no newer one waits.

    Args:
        choice: The image that is promoted.
        request: What the stack asks for.
        standing: Where the channel stands that it is promoted into.
        account: The account.
        now: The present time, in UTC.
    """
    lines = []
    held, channel = standing.image_id, standing.channel
    if held is None:
        lines.append(f"channel {channel}: nothing → {_name(choice.image, now)}, from {choice.origin}")
    elif held != choice.image.id:
        old = account.images.find(held, request.owners)
        was = _name(old, now) if old else f"{held} (gone)"
        lines.append(f"channel {channel}: {was} → {_name(choice.image, now)}, from {choice.origin}")
        lines += _unlabelled(standing)
    if held != choice.image.id:
        lines += _overridden(choice, request, account, now)
    if request.pin is not None and request.upstream is not None:
        waiting = account.channels.image_id(request.role, request.upstream)
        newer = account.images.find(waiting, request.owners) if waiting not in (None, request.pin) else None
        if newer is not None and newer.created > choice.image.created:
            lines.append(
                f"channel {request.upstream} holds a newer image, {_name(newer, now)}; "
                f"golden-image:image in {request.stack_file} keeps it back"
            )
    return lines


def of_bake(standing: Standing) -> list[str]:
    """Lines about the channel of a stack that bakes: which image it promotes is not known yet."""
    if not standing.moved:
        return []
    latest = standing.record[0]
    return [
        (
            f"channel {standing.channel}: {describe(latest)}. Stack {standing.stack} did not put it there: "
            f"`pulumi up` refuses to replace it by another image.\n{standing.way_out(latest)}"
        )
    ]


def _overridden(choice: Choice, request: Request, account: Account, now: datetime) -> list[str]:
    """That a pin overrides the soak, if it does."""
    why = soak.overridden(account, request, choice.image, now)
    if why is None or request.soak is None:
        return []
    return [
        (
            f"golden-image:image in {request.stack_file} overrides golden-image:soak ({soak.span(request.soak)}): {why}"
        )
    ]


def _unlabelled(standing: Standing) -> list[str]:
    """Who wrote a version before the first label shows only in the stack's state, which the step `claim` reads."""
    if standing.latest is None or standing.labelled:
        return []
    return [
        (
            f"channel {standing.channel}: no stack has a label on its pointer yet; `pulumi up` replaces "
            f"{standing.image_id} only if this stack put it there"
        )
    ]


def _name(image: Image, now: datetime) -> str:
    return f"{image.id} ({image.name}, built {age(image.created, now)} ago)"


def age(created: str, now: datetime) -> str:
    """How long ago an ISO 8601 time was, in its largest unit, such as ``3 days``."""
    past = max(now - datetime.fromisoformat(created).astimezone(UTC), timedelta())
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        number = int(past.total_seconds() // seconds)
        if number:
            return f"{number} {unit}" + ("s" if number > 1 else "")
    return "less than a minute"
