"""`python -m pipeline`: the steps that the program runs, and the commands for people.

Exit status: 0 done · 1 an error, printed to stderr · 2 wrong usage · 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from pipeline import net
from pipeline.cli import channels, doctor, review, rollout, steps

app = typer.Typer(
    help="The life of a machine image: the steps that `pulumi up` runs, and commands for people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (steps, channels, rollout, review, doctor):
    app.add_typer(group.app)


def main() -> None:
    """Run the command line; whatever goes wrong is one message."""
    sys.exit(net.run(app))
