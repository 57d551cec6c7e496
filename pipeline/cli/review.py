"""The command about reviews: a preview as a note in a merge request."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import PEOPLE
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.review.facts import Facts
    from pipeline.review.posting import Forge
    from pipeline.review.preview import Preview

app = typer.Typer()


class Where(StrEnum):
    """Where a note goes."""

    GITLAB = "gitlab"
    GITHUB = "github"


@app.command(rich_help_panel=PEOPLE)
def note(
    stacks: Annotated[list[str], typer.Argument(help="The stacks, such as dev prod.")],
    *,
    config_file: Annotated[
        str, typer.Option(help="Config file of a stack; {stack} is replaced by its name.")
    ] = "Pulumi.{stack}.yaml",
    preview: Annotated[
        list[str] | None,
        typer.Option(help="STACK=FILE: output of `pulumi preview --json`, instead of running it."),
    ] = None,
    post: Annotated[Where | None, typer.Option(help="Post it to the merge request of this pipeline.")] = None,
    project: Annotated[
        str, typer.Option(help="Name of the note; one per merge request and name.")
    ] = "golden-image",
) -> None:
    """Print one Markdown note about what an update of stacks would change, for its reviewers.

    Exit status: 0 printed (and posted) · 1 a preview failed, or the note could not be posted (it is printed anyway).
    """
    from pipeline.review import note as command  # the steps do not pay for it

    forge = _forge(post)
    facts = [_facts(stack, config_file, _saved(preview or [])) for stack in stacks]
    text = command.render(facts, project=project, now=datetime.now(UTC))
    print(text)
    if forge is not None:
        from pipeline.review.posting import post as send

        print(f"posted: {send(forge, command.marker(project), text)}", file=sys.stderr)
    failed = [one.preview.stack for one in facts if one.preview.errors]
    if failed:
        raise PipelineError(f"the preview of {', '.join(failed)} failed", change="the note has the reason")


def _forge(post: Where | None) -> Forge | None:
    from pipeline.review.github import GitHub
    from pipeline.review.gitlab import GitLab

    if post is None:
        return None
    return GitLab(os.environ) if post == Where.GITLAB else GitHub(os.environ)


def _saved(given: list[str]) -> dict[str, Path]:
    pairs = [entry.partition("=") for entry in given]
    for stack, sign, path in pairs:
        if not (stack and sign and _is_file(path)):
            raise PipelineError(
                "--preview does not name a file",
                seen=f"{stack}{sign}{path}",
                allowed="STACK=FILE, of a file that exists",
            )
    return {stack: Path(path) for stack, _, path in pairs}


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False  # no name of a file at all


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PipelineError(
            "--preview names a file that cannot be read", seen=f"{path}: {error}", allowed="JSON in UTF-8"
        ) from error


def _facts(stack: str, config_file: str, saved: dict[str, Path]) -> Facts:
    from pipeline.aws.account import Account
    from pipeline.review import facts
    from pipeline.review import preview as previews

    found: Preview
    if stack in saved:
        found = previews.parse(stack, _read(saved[stack]))
    else:
        found = previews.run(stack, Path(config_file.replace("{stack}", stack)))
    region = found.config.get("aws:region", "")
    return facts.gather(found, Account(region=region, profile=found.config.get("aws:profile")))
