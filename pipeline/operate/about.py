"""What a stack says of itself: `Pulumi.README.md` filled in with the stack's outputs, and the stack's tags.

Pulumi Cloud fills the text in itself, from the output ``readme``; with a state of one's own this does it. Stack tags,
too, work with both: Pulumi's config key ``pulumi:tags`` reaches only the Cloud, `pulumi stack tag set` both, a state
of one's own since 3.211 (pkg/backend/stack.go, pkg/backend/diy/stack_tags.go).
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from pipeline import markdown
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = re.compile(r"\$\{outputs\.([A-Za-z]\w*)\}")
"""Pulumi's syntax for an output in a stack's README."""

TAGGED = {"image": "imageId", "name": "imageName", "channel": "channel", "commit": "gitCommit"}
"""Stack tag, after ``golden-image:``, to the output that it holds."""


def outputs(stack: str) -> dict[str, Any]:
    """A stack's outputs.

    Raises:
        PipelineError: Pulumi could not read them, or there are none yet.
    """
    found: dict[str, Any] = json.loads(_pulumi("stack", "output", "--json", "--stack", stack))
    if "readme" not in found:
        raise PipelineError(
            f"stack {stack} has no outputs yet",
            seen=f"outputs: {', '.join(sorted(found)) or 'none'}",
            change=f"`pulumi up --stack {stack}` first",
        )
    return found


def render(values: Mapping[str, Any]) -> str:
    """The stack's README with its outputs filled in, as text that is not markup; an empty one reads "none".

    Raises:
        PipelineError: The text names an output that the stack does not have.
    """

    def fill(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise PipelineError(
                "the stack's README names an output that the stack does not have",
                seen=place[0],
                allowed=", ".join(sorted(values)),
                change="Pulumi.README.md, then `pulumi up`",
            )
        text = str(values[place[1]]) or "none"
        # Between backticks a backslash would be one more character.
        in_code = place.string.count("`", place.string.rfind("\n", 0, place.start()) + 1, place.start()) % 2
        return markdown.code(text)[1:-1] if in_code else markdown.plain(text)

    return PLACE.sub(fill, str(values["readme"]))


def tags(values: Mapping[str, Any]) -> dict[str, str]:
    """The stack's tags, of those outputs that say something."""
    return {f"golden-image:{name}": str(values[key]) for name, key in TAGGED.items() if values.get(key)}


def tag(stack: str, values: Mapping[str, Any]) -> None:
    """Give a stack its tags, so that `pulumi stack ls --tag` finds it.

    Raises:
        PipelineError: Pulumi refused one.
    """
    for name, value in tags(values).items():
        _pulumi("stack", "tag", "set", "--stack", stack, "--", name, value)


def _pulumi(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise PipelineError(
            "pulumi is not on PATH",
            change="`make setup` installs it for this project; or install it yourself",
        ) from error
    if done.returncode != 0:
        raise PipelineError(
            f"`pulumi {' '.join(arguments[:3])}` failed", seen=done.stderr.strip().removeprefix("error: ")
        )
    return done.stdout
