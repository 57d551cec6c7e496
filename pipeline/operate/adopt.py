"""The command `adopt`: a person confirms that a stack may replace what somebody else put into its channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.account import Account
from pipeline.errors import PipelineError
from pipeline.promote.pointer import Pointer, look
from pipeline.promote.standing import ACKNOWLEDGED, Standing, describe, label
from pipeline.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.model import PointerVersion


def run(*, stack: str, config_file: Path, version: int) -> PointerVersion:
    """Label the version that a channel is at as seen by a person.

    The next `pulumi up` of the stack accepts it, and may write another image.

    Args:
        stack: The stack's name.
        config_file: The stack's config file.
        version: The version that the person has seen; a newer one is not adopted with it.

    Returns:
        The version.

    Raises:
        PipelineError: The channel is at another version, or AWS could not be asked.
    """
    settings = load.read(stack, config_file)
    role, channel = settings.role, settings.channel
    account = Account(region=settings.region, profile=settings.profile)
    pointer = Pointer(stack, role, channel, channels=account.channels)
    latest = look(pointer.standing, lambda found: _is_at(found, version)).latest
    if latest is None or latest.version != version:
        raise PipelineError(
            f"channel {channel} is not at version {version}",
            seen=f"{pointer.name} {describe(latest)}" if latest else f"no parameter {pointer.name}",
            allowed="the version that the channel is at, as you have seen it",
            change=f"`python -m pipeline adopt {stack} --version {latest.version}`, if that image may go"
            if latest
            else f"`pulumi up` on stack {stack}",
        )
    pointer.attach(version, label(stack, ACKNOWLEDGED))
    return latest


def _is_at(found: Standing, version: int) -> bool:
    return found.latest is not None and found.latest.version == version
