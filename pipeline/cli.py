"""`python -m pipeline`: the steps that the program runs, and the commands for people.

Exit status: 0 done · 1 an error, told on stderr · 2 wrong usage · 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.errors import PipelineError

ERROR = 1
USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    help="The life of a machine image: the steps that `pulumi up` runs, and commands for people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _plan() -> dict[str, Any]:
    text = "" if sys.stdin.isatty() else sys.stdin.read()
    try:
        plan = json.loads(text)
    except ValueError as error:
        raise PipelineError(
            "the step's plan on standard input is not JSON",
            seen=str(error),  # never the text: a plan may hold a private key
            allowed="one JSON object",
            change="steps are started by the program; see components/",
        ) from error
    if not isinstance(plan, dict):
        raise PipelineError("the step's plan on standard input is not a JSON object")
    return plan


def _step(module: str, function: str = "run") -> None:
    """Run a step: plan on stdin, result as one line of JSON on stdout, everything else on stderr."""
    result = getattr(importlib.import_module(f"pipeline.{module}"), function)(_plan())
    print(json.dumps(result, sort_keys=True))  # noqa: T201 - this is the step's result


@app.command(rich_help_panel="Steps of `pulumi up`")
def bake() -> None:
    """Bake an image with Packer, or adopt the one that has the same bake key."""
    _step("bake")


@app.command(rich_help_panel="Steps of `pulumi up`")
def keygen() -> None:
    """Make the key pair for one image's validation."""
    _step("keygen")


@app.command(rich_help_panel="Steps of `pulumi up`")
def validate() -> None:
    """Check the machines that were booted from an image."""
    _step("validate")


@app.command(rich_help_panel="Steps of `pulumi up`")
def settle() -> None:
    """Let the channel tags of a role's images follow its pointers."""
    _step("settle")


@app.command(rich_help_panel="Steps of `pulumi up`")
def leave() -> None:
    """The same, as if the channel held nothing any more."""
    _step("settle", "leave")


@app.command(rich_help_panel="For people")
def rollback(
    stack: Annotated[str, typer.Argument(help="The stack, such as prod.")],
    image: Annotated[
        str | None, typer.Argument(help="An image that its channel held; default: the previous good one.")
    ] = None,
    *,
    config_file: Annotated[
        Path | None, typer.Option(help="The stack's config file; default: Pulumi.STACK.yaml.")
    ] = None,
) -> None:
    """Show what a stack's channel has held, and pin the previous good image in the stack file."""
    from pipeline import rollback as command  # noqa: PLC0415 - the steps do not pay for it

    command.run(stack, config_file=config_file or Path(f"Pulumi.{stack}.yaml"), image_id=image)


def main() -> None:
    """Run the command line; a PipelineError is one message."""
    try:
        app()
    except PipelineError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(ERROR)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)
