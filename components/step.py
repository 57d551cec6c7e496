"""The one way in which components declare a step of the pipeline: a command whose plan comes on standard input."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_command.local import Command, Logging

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.plans import Plan

INTERPRETER = ["bin/step"]
"""Relative to the project's folder, which is the working directory of a command without ``dir``. An absolute
path would differ between checkouts and so run every step again."""


def declare(
    parent: pulumi.Resource,
    name: str,
    kind: type[Plan],
    plan: Mapping[str, pulumi.Input[Any]],
    *,
    environment: Mapping[str, str],
    triggers: Sequence[pulumi.Input[str]] | None = None,
    in_place: bool = False,
    delete: type[Plan] | None = None,
    secret: bool = False,
    after: pulumi.Resource | Sequence[pulumi.Resource] | None = None,
) -> Command:
    """Declare a command that runs a step.

    Args:
        parent: The component.
        name: The command's name.
        kind: The type of the plan; it names the step.
        plan: The fields of the plan.
        environment: How it reaches AWS.
        triggers: What replaces the command when it changes.
        in_place: Whether another plan updates the command; otherwise it leaves what the step did, and does it anew.
        delete: The step that runs, with the same plan, when the command goes.
        secret: Whether what it prints is secret in the state.
        after: What must be done before.
    """
    return Command(
        name,
        interpreter=INTERPRETER,
        create=kind.step,
        update=kind.step if in_place else None,
        delete=delete.step if delete else None,
        triggers=list(triggers) if triggers is not None else None,
        stdin=pulumi.Output.all(**plan).apply(lambda found: kind(**found).to_json()),
        environment=dict(environment),
        # Logs go to stderr, live. Never `stdout`, which is also the default: it has the result, which may be secret.
        logging=Logging.STDERR,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=after,
            additional_secret_outputs=["stdout"] if secret else None,
        ),
    )


def result(command: Command) -> pulumi.Output[dict[str, Any]]:
    """What a step has returned."""
    return command.stdout.apply(json.loads)
