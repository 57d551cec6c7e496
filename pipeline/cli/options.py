"""What several commands share: options, and the account that they name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.model import REGION

if TYPE_CHECKING:
    from pipeline.aws.account import Account

STEPS = "Steps of `pulumi up`"
PEOPLE = "For people"

Region = Annotated[
    str | None, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region of the image.")
]
Profile = Annotated[str | None, typer.Option(envvar="AWS_PROFILE", help="AWS profile.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


def account_of(region: str | None, profile: str | None) -> Account:
    """The account that the options name.

    Raises:
        PipelineError: No region is given, or it is not a name of one.
    """
    from pipeline.aws.account import Account  # the steps do not pay for it

    if not region:
        raise PipelineError("no AWS region is given", change="--region, or AWS_REGION in the environment")
    if re.fullmatch(REGION, region) is None:
        raise PipelineError(
            "the AWS region is not valid",
            seen=visible.quoted(region),
            allowed="a region such as eu-west-1",
            change="--region, or AWS_REGION in the environment",
        )
    return Account(region=region, profile=profile)


def say(text: str) -> None:
    """Print a text for people; what a terminal would obey in a name or a tag is escaped."""
    print(visible.lines(text))
