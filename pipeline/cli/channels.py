"""The commands about channels and their images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import PEOPLE, AsJson, Profile, Region, account_of, say
from pipeline.errors import PipelineError
from pipeline.operate.retire import Limits

app = typer.Typer()

KEPT = Limits()
"""What `retire` keeps by default."""

MOST_DAYS = 36_500
"""A hundred years: a longer age has no date to compare with."""


@app.command(rich_help_panel=PEOPLE)
def about(
    stack: Annotated[str, typer.Argument(help="The stack, such as prod.")],
    *,
    tag: Annotated[bool, typer.Option("--tag", help="Write the image to the stack's tags, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a stack's image, since when it has it, the previous one, and how to roll back."""
    from pipeline.operate import about as command  # the steps do not pay for it

    outputs = command.outputs(stack)
    text = command.render(outputs)
    if tag:
        command.tag(stack, outputs)
    print(json.dumps({"readme": text, "tags": command.tags(outputs)}) if as_json else text)


@app.command(rich_help_panel=PEOPLE)
def rollback(
    stack: Annotated[str, typer.Argument(help="The stack, such as prod.")],
    image: Annotated[
        str | None,
        typer.Argument(help="An image that its channel held before; default: the previous good one."),
    ] = None,
    *,
    config_file: Annotated[
        Path | None, typer.Option(help="The stack's config file; default: Pulumi.STACK.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the history of a stack's channel, and pin the previous good image in the stack file."""
    from pipeline.operate import rollback as command  # the steps do not pay for it

    outcome = command.run(
        stack=stack, config_file=config_file or Path(f"Pulumi.{stack}.yaml"), image_id=image
    )
    if as_json:
        print(json.dumps(command.as_json(outcome)), flush=True)
    else:
        command.show(outcome, stack)
    # Last: a pin that nobody was shown is not written.
    if outcome.changed:
        outcome.after.write()


@app.command(rich_help_panel=PEOPLE)
def adopt(
    stack: Annotated[str, typer.Argument(help="The stack, such as prod.")],
    *,
    version: Annotated[
        int,
        typer.Option(min=1, max=10**9, help="The version of the pointer that the error names."),
    ],
    config_file: Annotated[
        Path | None, typer.Option(help="The stack's config file; default: Pulumi.STACK.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a stack replace the image that somebody else put into its channel."""
    from pipeline.operate import adopt as command  # the steps do not pay for it
    from pipeline.promote.standing import describe

    found = command.run(stack=stack, config_file=config_file or Path(f"Pulumi.{stack}.yaml"), version=version)
    if as_json:
        print(json.dumps({"adopted": found.version, "imageId": found.image_id}))
        return
    say(f"stack {stack} may replace {describe(found)}")
    say("nothing else has changed; `pulumi up` writes the image that the stack asks for")


@app.command(rich_help_panel=PEOPLE)
def revoke(
    image: Annotated[str, typer.Argument(help="The image, ami-…")],
    *,
    reason: Annotated[str, typer.Option(help="The reason; later refusals quote it.")],
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Forbid an image to every channel from now on."""
    from pipeline.operate import revoke as command

    descendants = command.revoke(account_of(region, profile), image, reason)
    if as_json:
        print(json.dumps({"revoked": image, "descendants": [child.id for child in descendants]}))
        return
    say(f"{image} is revoked; `python -m pipeline restore {image}` withdraws that")
    for child in descendants:
        state = "revoked too" if child.revoked is not None else "not revoked"
        say(f"  baked from it: {child.id} {child.name} ({state})")


@app.command(rich_help_panel=PEOPLE)
def restore(
    image: Annotated[str, typer.Argument(help="The image, ami-…")],
    *,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw the revocation of an image, its rejection by a failed roll-out, or both."""
    from pipeline.model import TAG_REJECTED, TAG_REVOKED
    from pipeline.operate import revoke as command

    said = command.restore(account_of(region, profile), image)
    revoked, rejected = said.get(TAG_REVOKED), said.get(TAG_REJECTED)
    if as_json:
        print(json.dumps({"restored": image, "revoked": revoked, "rejected": rejected}))
        return
    say(f"{image} may be promoted again")
    if revoked is not None:
        say(f"  it was revoked: {revoked}")
    if rejected is not None:
        say(f"  it was rejected: {rejected}")


@app.command(rich_help_panel=PEOPLE)
def retire(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Remove them. Without this option they are only listed.")
    ] = False,
    history: Annotated[
        int, typer.Option(min=1, max=1_000, help="Number of most recent images to keep per channel.")
    ] = KEPT.history,
    days: Annotated[
        int, typer.Option(min=0, max=MOST_DAYS, help="Keep images younger than this number of days.")
    ] = KEPT.age.days,
    settled_days: Annotated[
        int,
        typer.Option(
            min=0,
            max=MOST_DAYS,
            help="Days for which a channel must have held its image before earlier ones may go.",
        ),
    ] = KEPT.settled.days,
    cap: Annotated[
        int, typer.Option(min=1, max=10_000, help="Largest number of images to remove in one run.")
    ] = 10,
    each: Annotated[
        bool, typer.Option("--all", help="Print a line per image instead of one per reason.")
    ] = False,
    region: Region = None,
    profile: Profile = None,
    as_json: AsJson = False,
) -> None:
    """List the images that are no longer needed, with the reason to keep each other one; remove them."""
    from datetime import UTC, datetime, timedelta

    from pipeline.operate import retire as command
    from pipeline.operate import retire_report as report

    account = account_of(region, profile)
    limits = command.Limits(history=history, age=timedelta(days=days), settled=timedelta(days=settled_days))
    decided = command.plan(command.read(account, datetime.now(UTC)), limits)
    if yes:
        decided = command.confirmed(account, decided, limits)
    done = command.carry_out(account, decided, cap=cap) if yes else None
    if as_json:
        going = [image.id for image in decided.images]
        result = done or command.Removal()
        print(
            json.dumps(
                {
                    "kept": {**decided.kept, **result.in_use},
                    "retire": going,
                    "removed": result.removed,
                    "refused": result.refused,
                    "left": report.left(decided, result),
                }
            )
        )
    else:
        for line in report.lines(decided, done, cap=cap, each=each):
            say(line)
    if done is not None and done.refused:
        raise PipelineError(
            f"EC2 refused to remove {len(done.refused)} of what is to be retired; the rest is removed",
            seen="\n".join(f"{thing}: {said}" for thing, said in done.refused.items()),
            change="see EC2's answers; iam/operate.json has what `retire` needs; the tag Keep keeps an image",
        )
