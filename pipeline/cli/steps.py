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


def _step(module: str, function: str = "run") -> None:
    """Run a step: plan on stdin, result as one line of JSON on stdout, everything else on stderr."""
    step = getattr(importlib.import_module(f"pipeline.{module}"), function)
    plan = _plan()
    with aws.asking(f"carry out the step {module.rpartition('.')[2]}", region=str(plan.get("region"))):
        result = step(plan)
    print(json.dumps(result, sort_keys=True))  # this is the step's result


@app.command(rich_help_panel=STEPS)
def bake() -> None:
    """Bake an image with Packer, or adopt the image with the same bake key."""
    _step("baking.bake")


@app.command(rich_help_panel=STEPS)
def keygen() -> None:
    """Create the key pair for one image's validation."""
    _step("validation.keygen")


@app.command(rich_help_panel=STEPS)
def validate() -> None:
    """Run the checks on machines that were booted from an image."""
    _step("validation.validate")


@app.command(rich_help_panel=STEPS)
def claim() -> None:
    """Check that a channel is as its stack left it, before its pointer moves."""
    _step("promote.claim")


@app.command(rich_help_panel=STEPS)
def held() -> None:
    """Wait until a channel's pointer holds the image that was written."""
    _step("promote.held")


@app.command(rich_help_panel=STEPS)
def settle() -> None:
    """Set the channel tags of a role's images to what its pointers hold."""
    _step("promote.settle")


@app.command(rich_help_panel=STEPS)
def leave() -> None:
    """Remove a channel's tags, as its pointer is deleted."""
    _step("promote.settle", "leave")


@app.command("roll-out", rich_help_panel=STEPS)
def roll_out() -> None:
    """Move a group's machines to a version of its launch template, or return if they do not become healthy."""
    _step("rollout.roll_out")
