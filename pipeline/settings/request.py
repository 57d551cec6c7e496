"""What a stack asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a stack asks for.

    Attributes:
        stack: The stack's name.
        stack_file: The file that a person changes.
        role: What the image must be made for.
        channel: The channel that it is for.
        architecture: What it must run on.
        owners: Whose it may be, in the words of EC2's DescribeImages.
        pin: Its id, or None.
        source_channel: The channel to take it from where there is no pin, or None.
        upstream: The channel that it would be taken from without the pin, or None.
        soak: How long that channel must have held it, or None.
    """

    stack: str
    stack_file: str
    role: str
    channel: str
    architecture: str
    owners: tuple[str, ...]
    pin: str | None
    source_channel: str | None
    upstream: str | None = None
    soak: timedelta | None = None
