"""`python -m pipeline`: the steps that the program runs, and the commands for people.

Exit status: 0 done · 1 an error, told on stderr · 2 wrong usage · 130 interrupted.
"""

from __future__ import annotations

import sys

import typer

from pipeline import aws, log
from pipeline.cli import channels, readiness, review, steps
from pipeline.errors import PipelineError

ERROR = 1
USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    help="The life of a machine image: the steps that `pulumi up` runs, and commands for people.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (steps, channels, review, readiness):
    app.add_typer(group.app)


def main() -> None:
    """Run the command line; a PipelineError is one message."""
    try:
        app()
    except PipelineError as error:
        log.show(f"error: {error}")
        sys.exit(ERROR)
    except Exception as error:
        # A call to AWS outside of all others' nets; what is not about AWS is a fault of the program.
        explained = aws.explain("do that", error, region="this region")
        if explained is None:
            raise
        log.show(f"error: {explained}")
        sys.exit(ERROR)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)
