"""The steps that the program's command resources run: a plan on stdin, a result on stdout."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import typer

from pipeline import aws
from pipeline.cli.options import STEPS
from pipeline.errors import PipelineError

app = typer.Typer()


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


def _step(module: str, function: str) -> None:
    """Run a step: plan on stdin, result as one line of JSON on stdout, everything else on stderr."""
    step = getattr(importlib.import_module(f"pipeline.{module}"), function)
    plan = _plan()
    with aws.asking(f"carry out the step {module.rpartition('.')[2]}", region=str(plan.get("region"))):
        result = step(plan)
    print(json.dumps(result, sort_keys=True))  # this is the step's result


def _command(name: str, text: str, module: str, function: str = "run") -> None:
    """Make a step a command."""

    @app.command(name, help=text, rich_help_panel=STEPS)
    def command() -> None:
        _step(module, function)


for _row in (
    ("bake", "Bake an image with Packer, or adopt the image with the same bake key.", "baking.bake"),
    ("keygen", "Create the key pair for one image's validation.", "validation.keygen"),
    ("validate", "Run the checks on machines that were booted from an image.", "validation.validate"),
    ("claim", "Check that a channel is as its stack left it, before its pointer moves.", "promote.claim"),
    ("held", "Wait until a channel's pointer holds the image that was written.", "promote.held"),
    ("settle", "Set the channel tags of a role's images to what its pointers hold.", "promote.settle"),
    ("leave", "Remove a channel's tags, as its pointer is deleted.", "promote.settle", "leave"),
    (
        "roll-out",
        "Move a group's machines to a version of its launch template, or return if they do not become healthy.",
        "rollout.roll_out",
    ),
):
    _command(*_row)
