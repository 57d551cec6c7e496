"""What a bake that did not end well has left: removed, or named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.account import Account
from pipeline.aws.patience import LONG
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pipeline.model import Builder


def remove(*, region: str, bake_id: str, say: Callable[[str], None]) -> list[str]:
    """Remove the builder, key pair, security group and unfinished image of one run.

    Args:
        region: AWS region.
        bake_id: The run's tag BakeId.
        say: Called with each thing that is removed.

    Returns:
        What is still there, each with the reason; empty if nothing is.
    """
    left = []
    try:
        for what, remove_it in Account(region=region, patience=LONG).leftovers(bake_id):
            say(f"removing {what}, which Packer has left")
            try:
                remove_it()
            except PipelineError as error:
                left.append(f"{what}: {error.seen or error.what}")
    except PipelineError as error:
        left.append(f"{error.what}: {error.seen}")
    return left


def notices(builders: Sequence[Builder], now: datetime) -> list[str]:
    """A line for each builder that is there before a bake begins."""
    return [
        f"builder {one.id} of another bake ({one.bake_key}) is {one.state}, since {one.since:%Y-%m-%d %H:%M} UTC "
        f"({(now - one.since).total_seconds() / 60:.0f} minutes ago); if that bake does not run any more, the "
        "builder was left behind: `python -m pipeline doctor` has the command that ends it"
        for one in builders
    ]
