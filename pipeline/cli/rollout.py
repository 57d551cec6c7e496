"""The command about the machines of a stack's group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import PEOPLE, AsJson, say

app = typer.Typer()


@app.command(rich_help_panel=PEOPLE)
def rollout(
    stack: Annotated[str, typer.Argument(help="The stack, such as prod.")],
    *,
    config_file: Annotated[
        Path | None, typer.Option(help="The stack's config file; default: Pulumi.STACK.yaml.")
    ] = None,
    go_back: Annotated[
        bool, typer.Option("--return", help="Ask AWS to roll back the roll-out that is under way.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the roll-out to a stack's group that is under way, and the last ones."""
    from pipeline.operate import rollout as command  # the steps do not pay for it

    account, seen = command.look(stack=stack, config_file=config_file or Path(f"Pulumi.{stack}.yaml"))
    if go_back:
        returned = command.go_back(account, seen)
        if as_json:
            print(json.dumps({"returned": returned.id}))
            return
        say(f"AWS rolls back {returned.id}: the machines of {seen.group.name} go back to the version before")
        say("the `pulumi up` that waits for it, or the next one, lets channel and launch template follow")
        return
    if as_json:
        print(json.dumps(command.as_json(seen)))
        return
    for line in command.lines(seen):
        say(line)
