"""The programs on this machine, and the project's Python packages."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from pipeline.baking.version import OLDEST, RECOMMENDED
from pipeline.doctor import programs
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.doctor.findings import Finding

HERE = "this machine"
PYTHON = Path(".venv/bin/python")
"""`Pulumi.yaml` and `bin/step` run the program and its steps with this."""

LOCK = Path("requirements.txt")
SHOWN = 5
_SETUP = "`make setup` puts one into .tools/bin, which must then be on PATH"


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that an update needs on PATH.

    Attributes:
        name: The command.
        oldest: The oldest version that works.
        use: What needs it.
        cure: How to get it.
        ask: The argument that makes it print its version.
        recommended: Older versions work, but with a drawback; None if there is no such difference.
        drawback: Of versions older than recommended.
    """

    name: str
    oldest: tuple[int, int, int]
    use: str
    cure: str
    ask: str = "version"
    recommended: tuple[int, int, int] | None = None
    drawback: str = ""


PULUMI = Program(
    name="pulumi",
    oldest=(3, 0, 0),
    use="every preview and update",
    cure=f"install Pulumi 3.250 or newer; {_SETUP}",
    recommended=(3, 250, 0),
    drawback="this project was never run with a version before 3.250",
)
PACKER = Program(
    name="packer",
    oldest=OLDEST,
    use="the bake",
    cure=f"install Packer 1.14 or newer; {_SETUP}",
    recommended=RECOMMENDED,
    drawback="versions before 1.14 get plugins from GitHub alone: 60 requests an hour, and not the current plugins",
)
ANSIBLE = Program(
    name="ansible-playbook",
    oldest=(2, 18, 0),
    use="the bake, whose Packer plugin runs it",
    cure="put .venv/bin first on PATH: the project's virtual environment has ansible-core",
    ask="--version",
)
SSH = Program(
    name="ssh",
    oldest=(8, 0, 0),
    use="Ansible and the checks on the validation machines",
    cure="install the OpenSSH client (Debian: apt-get install openssh-client)",
    ask="-V",
)
GITLEAKS = Program(
    name="gitleaks",
    oldest=(8, 25, 0),
    use="the search for secrets on the validation machines",
    cure=f"install gitleaks; {_SETUP}",
)
GIT = Program(
    name="git",
    oldest=(2, 0, 0),
    use="the tag GitCommit of an image",
    cure="install git",
    ask="--version",
)


def program(wanted: Program) -> Iterator[Finding]:
    """Whether a program is on PATH, and new enough."""
    subject, path = Subject(wanted.name, HERE), programs.found(wanted.name)
    needed = f"{wanted.use} needs {wanted.name} {programs.dotted(wanted.oldest)} or newer"
    if path is None:
        yield subject.fail("not on PATH", cause=needed, cure=wanted.cure)
        return
    said = programs.ask(path, wanted.ask)
    version = programs.version_in(said.out or said.err)
    if said.status != 0 or version is None:
        yield subject.fail(f"{path}: {said.problem}", cause="it does not print its version", cure=wanted.cure)
        return
    seen = f"{programs.dotted(version)} ({path})"
    if version < wanted.oldest:
        yield subject.fail(seen, cause=needed, cure=wanted.cure)
    elif version < (wanted.recommended or wanted.oldest):
        yield subject.warn(seen, cause=wanted.drawback, cure=wanted.cure)
    else:
        yield subject.ok(seen)


def folder() -> Iterator[Finding]:
    """Whether this is the project's folder: all paths of the program are relative to it."""
    subject = Subject("project", HERE)
    if Path("Pulumi.yaml").is_file():
        yield subject.ok(str(Path.cwd()))
    else:
        yield subject.fail(
            f"no Pulumi.yaml in {Path.cwd()}",
            cause="the program and its steps run in the project's folder",
            cure="run this from there",
        )


def packages() -> Iterator[Finding]:
    """Whether the virtual environment exists and has what the lock file pins."""
    subject = Subject("packages", HERE)
    cure = "`make setup`, or: python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt"
    if not PYTHON.exists():
        yield subject.fail(
            f"no {PYTHON}", cause="the program runs in the virtual environment .venv", cure=cure
        )
        return
    installed = of_the_environment()
    wrong = differing(LOCK.read_text(encoding="utf-8"), installed) if LOCK.exists() else []
    if not wrong:
        yield subject.ok(f"{len(installed)} packages in .venv, Python {sys.version.split()[0]}")
        return
    shown = ", ".join(wrong[:SHOWN]) + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
    judge = subject.fail if any(text.endswith("missing") for text in wrong) else subject.warn
    yield judge(shown, cause=f"the virtual environment differs from what {LOCK} pins", cure=cure)


def of_the_environment() -> dict[str, str]:
    """The packages in the project's virtual environment: canonical name to version.

    Raises:
        OSError: Its interpreter cannot be run.
        ValueError: The interpreter did not answer.
    """
    code = "import json, importlib.metadata as m; print(json.dumps([(d.name, d.version) for d in m.distributions()]))"
    said = programs.ask(str(PYTHON), "-c", code)
    return {str(canonicalize_name(name)): version for name, version in json.loads(said.out)}


def differing(lock: str, installed: Mapping[str, str]) -> list[str]:
    """Packages that a lock file pins for this platform and that are missing or of another version."""
    wrong = []
    for line in lock.splitlines():
        text = line.removesuffix("\\").strip()
        if not text or line[0] in " #-":
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            wrong.append(f"{text}: not understood")
            continue
        version = installed.get(str(canonicalize_name(wanted.name)))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        if version is None:
            wrong.append(f"{wanted.name} missing")
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} instead of {wanted.specifier}".replace("==", ""))
    return wrong
