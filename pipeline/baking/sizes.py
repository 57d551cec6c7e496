"""Instance types that can run the image: of its architecture, asked before anything is launched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.aws.account import Account

BUILDER = {"x86_64": "t3.medium", "arm64": "t4g.medium"}
"""Default size of a builder, by architecture."""


def check(account: Account, wanted: Mapping[str, str], *, architecture: str, stack_file: str) -> None:
    """Refuse an instance type of another architecture than the image's.

    Args:
        account: Who is asked.
        wanted: Config key to instance type.
        architecture: ``x86_64`` or ``arm64``.
        stack_file: The file that holds the keys, for the error.

    Raises:
        PipelineError: One does not fit, there is no such type, or AWS could not be asked.
    """
    known = account.machines.architectures(sorted(set(wanted.values())))
    for key, instance_type in wanted.items():
        its_own = known.get(instance_type, ())
        if architecture not in its_own:
            raise PipelineError(
                f"{key} does not fit golden-image:architecture",
                seen=f"{instance_type} ({', '.join(its_own) or 'not known to EC2'}), and architecture {architecture}",
                allowed=f"an instance type for {architecture}, such as {BUILDER[architecture]}",
                change=f"{key} or golden-image:architecture in {stack_file}",
            )
