"""`python -m lab`: start, stop and look at an EC2 on this machine.

Exit status: 0 done (`status`: up) · 1 an error, or something is left behind · 2 wrong usage ·
3 `status`: down, and nothing is left.
"""

from __future__ import annotations

import base64
import json
import shlex
import sys
from dataclasses import asdict
from typing import Annotated

import httpx
import typer

from lab import environment, keeper, leftovers, locks, manners, redhat_like
from lab import settings as lab_settings
from lab.errors import LabError

app = typer.Typer(
    help="EC2 on one machine: real Packer, Pulumi and Ansible against machines that boot here.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

STATUS_LEFT_BEHIND = 1
STATUS_DOWN = 3


@app.command()
def up(
    names: Annotated[
        str,
        typer.Argument(
            metavar="[NAME,…]",
            help=f"With --manners: only these of {', '.join(manners.NAMES)}; or none.",
            show_default=False,
        ),
    ] = "",
    *,
    with_manners: Annotated[
        bool,
        typer.Option("--manners", help="Answer as late and as stale as AWS does; kept until said otherwise."),
    ] = False,
    pace: Annotated[
        str | None, typer.Option(help="aws: machines and images take as long as on AWS; lab: seconds.")
    ] = None,
) -> None:
    """Start the lab; nothing happens if it is up already, but that the manners change."""
    settings = lab_settings.load()
    if names and not with_manners:
        raise LabError(f"{names!r} is not an option", hint=f"python -m lab up --manners {names}")
    choice = _choice(settings, names if with_manners else None, pace)
    fresh = keeper.up(settings)
    environment.install_plugins(settings)
    if with_manners or pace:
        httpx.put(f"{settings.endpoint}/lab-api/manners", json=asdict(choice), timeout=60).raise_for_status()
    print(f"lab {settings.name}: {'up' if fresh else 'was up already'}, answers on {settings.endpoint}")


def _choice(settings: lab_settings.LabSettings, names: str | None, pace: str | None) -> manners.Choice:
    """What the options ask for; what they leave out stays as it is."""
    before = manners.kept(settings.manners_file)
    given = {None: before.names, "": manners.NAMES, "none": ()}.get(names, (names or "").split(","))
    return manners.Choice.of({**asdict(before), "names": given, "pace": pace or before.pace})


@app.command()
def redhat(
    *,
    registration_seconds: Annotated[
        int, typer.Option(min=0, help="How long after its boot a machine registers.")
    ] = redhat_like.REGISTRATION_SECONDS,
) -> None:
    """Publish a second source image in a lab that is up: Debian with what of RHEL 9 gets in an image's way."""
    settings = _running()
    redhat_like.ensure()
    httpx.put(
        f"{settings.endpoint}/lab-api/redhat",
        json={"registration_seconds": registration_seconds},
        timeout=60,
    ).raise_for_status()
    print(
        f"{redhat_like.image_name()}: in a stack file's golden-image:bake, variables,\n"
        f"  source_image_name: {redhat_like.image_name()}\n"
        f'  source_image_owners: ["{redhat_like.OWNER}"]\n'
        f"  ssh_username: {redhat_like.LOGIN_USER}\n"
        f"and in its golden-image:validation\n"
        f"  sshUser: {redhat_like.LOGIN_USER}"
    )


def _running() -> lab_settings.LabSettings:
    settings = lab_settings.load()
    if not keeper.running(settings):
        raise LabError(f"the lab {settings.name!r} is not up", hint="start it with: make lab")
    return settings


@app.command()
def down() -> None:
    """Stop the lab and its machines; images, pointers and Pulumi state are kept for the next start."""
    settings = lab_settings.load()
    was_up = keeper.down(settings)
    print(f"lab {settings.name}: {'stopped' if was_up else 'was not up'}")
    leftovers.refuse(settings)


@app.command()
def reset() -> None:
    """Stop the lab and forget everything it knew; the base image stays in the cache."""
    settings = lab_settings.load()
    keeper.reset(settings)
    print(f"lab {settings.name}: stopped, and {settings.state_dir} removed")


@app.command()
def status(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for scripts.")] = False
) -> None:
    """Say whether the lab is up, and what of it is on this host."""
    settings = lab_settings.load()
    is_up = keeper.running(settings)
    found = leftovers.find(settings)
    chosen = manners.kept(settings.manners_file)
    if as_json:
        answer = {"lab": settings.name, "up": is_up, "endpoint": settings.endpoint, "host": found}
        print(json.dumps({**answer, "manners": chosen.names, "pace": chosen.pace}))
    else:
        print(f"lab {settings.name}: {'up, answers on ' + settings.endpoint if is_up else 'down'}")
        for kind, names in found.items():
            print(f"  {kind:<15} {', '.join(names) if names else 'none'}")
        print(f"  {'manners':<15} {', '.join(chosen.names) or 'none'}")
        print(f"  {'pace':<15} {chosen.pace}")
    if not is_up:
        raise typer.Exit(STATUS_LEFT_BEHIND if any(found.values()) else STATUS_DOWN)


@app.command()
def env() -> None:
    """Print the environment that makes AWS tools use the lab: eval "$(python -m lab env)"."""
    settings = lab_settings.load()
    for name, value in environment.variables(settings).items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
def unlock(stack: Annotated[str, typer.Argument(help="The stack, such as dev.")]) -> None:
    """Release the lock that a killed `pulumi` left on a stack; one that is still at work keeps it."""
    for pid in locks.release(lab_settings.load(), stack):
        print(f"released the lock of process {pid}, which is gone, on stack {stack}")


@app.command()
def console(instance_id: Annotated[str, typer.Argument(metavar="ID", help="An instance id, i-…")]) -> None:
    """Print what a machine printed on its console (GetConsoleOutput)."""
    settings = _running()
    client = environment.client(settings, "ec2")
    try:
        answer = client.get_console_output(InstanceId=instance_id)
    except client.exceptions.ClientError as error:
        raise LabError(str(error), hint="`aws ec2 describe-instances` lists the ids") from error
    # boto3 hands on the text as it came: base64.
    text = answer.get("Output", "")
    print(base64.b64decode(text).decode(errors="replace") if _is_base64(text) else text, end="")


def _is_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False


def main() -> None:
    """Run the command line; a LabError is one message and exit status 1."""
    try:
        app()
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
