"""The command that checks whether machine and account are ready.

Exit status: 0 ready, with warnings or without · 1 not ready: at least one finding is a fail · 2 wrong usage.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from pipeline.cli.options import PEOPLE, AsJson

app = typer.Typer()

NOT_READY = 1


@app.command(rich_help_panel=PEOPLE)
def doctor(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STACK]...", help="The stacks; default: all with a config file."),
    ] = None,
    *,
    config_file: Annotated[
        str, typer.Option(help="A stack's config file; {stack} is replaced by its name.")
    ] = "Pulumi.{stack}.yaml",
    purpose: Annotated[
        Literal["update", "preview", "operate"],
        typer.Option("--for", help="The work: `pulumi up`, `pulumi preview`, or revoke, adopt and retire."),
    ] = "update",
    as_json: AsJson = False,
) -> None:
    """Check whether this machine and account are ready for the stacks. Changes nothing.

    Every finding that is not ok has a cause and a cure. Exit status 0: ready, warnings or not; 1: a check failed.
    """
    from pipeline.doctor import run as command  # the steps do not pay for it
    from pipeline.doctor.show import show

    report = command.examine(stacks or [], config_file, purpose)
    if as_json:
        print(json.dumps(report.as_json()))
    else:
        show(report)
    if not report.ready:
        raise typer.Exit(NOT_READY)
