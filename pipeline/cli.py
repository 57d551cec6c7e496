"""`python -m pipeline`: the steps that the program runs, and the commands for people.

Exit status: 0 done · 1 an error, told on stderr · 2 wrong usage · 130 interrupted.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.catalog import Catalog

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


Region = Annotated[
    str | None, typer.Option(envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region of the image.")
]
Profile = Annotated[str | None, typer.Option(envvar="AWS_PROFILE", help="AWS profile.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")]


def _catalog(region: str | None, profile: str | None) -> Catalog:
    from pipeline.catalog import Catalog  # noqa: PLC0415 - the steps do not pay for it

    if not region:
        raise PipelineError("no AWS region is given", change="--region, or AWS_REGION in the environment")
    return Catalog(region=region, profile=profile)


@app.command(rich_help_panel="For people")
def revoke(
    image: Annotated[str, typer.Argument(help="The image, ami-…")],
    *,
    reason: Annotated[str, typer.Option(help="Why; whoever meets the refusal reads it.")],
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Keep an image out of every channel from now on."""
    from pipeline import revoke as command  # noqa: PLC0415

    descendants = command.revoke(_catalog(region, profile), image, reason)
    if as_json:
        print(json.dumps({"revoked": image, "descendants": [child.id for child in descendants]}))  # noqa: T201
        return
    print(f"{image} is revoked; `python -m pipeline restore {image}` takes it back")  # noqa: T201
    for child in descendants:
        state = "revoked too" if child.revoked is not None else "not revoked"
        print(f"  baked from it: {child.id} {child.name} ({state})")  # noqa: T201


@app.command(rich_help_panel="For people")
def restore(
    image: Annotated[str, typer.Argument(help="The image, ami-…")],
    *,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Take the revocation of an image back."""
    from pipeline import revoke as command  # noqa: PLC0415

    said = command.restore(_catalog(region, profile), image)
    if as_json:
        print(json.dumps({"restored": image, "was": said}))  # noqa: T201
    else:
        print(f"{image} may be promoted again; it was revoked for: {said}")  # noqa: T201


@app.command(rich_help_panel="For people")
def retire(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it they are only listed.")] = False,
    history: Annotated[int, typer.Option(min=1, help="Keep the last so many images of each channel.")] = 3,
    days: Annotated[int, typer.Option(min=0, help="Keep images younger than so many days.")] = 7,
    settled_days: Annotated[
        int,
        typer.Option(min=0, help="Keep a channel's earlier image until the present one was there so long."),
    ] = 7,
    cap: Annotated[int, typer.Option(min=1, help="Remove at most so many images in one run.")] = 10,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List the images that nobody needs any more, with the reason why each other stays; remove them."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415

    from pipeline import retire as command  # noqa: PLC0415

    catalog = _catalog(region, profile)
    limits = command.Limits(history=history, age=timedelta(days=days), settled=timedelta(days=settled_days))
    decided = command.plan(command.read(catalog, datetime.now(UTC)), limits)
    removed = command.carry_out(catalog, decided, cap=cap) if yes else []
    if as_json:
        going = [image.id for image in decided.images]
        print(json.dumps({"kept": decided.kept, "retire": going, "removed": removed}))  # noqa: T201
        return
    for image_id, reason in decided.kept.items():
        print(f"  keep    {image_id}  {reason}")  # noqa: T201
    for image in decided.images:
        done = "removed" if image.id in removed else "retire "
        print(f"  {done} {image.id}  {image.name}, {image.created[:10]}")  # noqa: T201
    for snapshot in decided.snapshots:
        done = "removed" if snapshot.id in removed else "retire "
        print(f"  {done} {snapshot.id}, whose image is gone")  # noqa: T201
    if not yes and (decided.images or decided.snapshots):
        print("nothing has been removed; --yes does it")  # noqa: T201


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
