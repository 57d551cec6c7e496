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
"""What `Pulumi.yaml` and `bin/step` run the program and its steps with."""

LOCK = Path("requirements.txt")


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that an update needs on PATH.

    Attributes:
        name: The command.
        ask: The arguments that make it print its version.
        oldest: The oldest version that will do.
        recommended: An older one will do, but with a drawback; None if all that will do are equal.
        drawback: Of those older than recommended.
        use: What it is needed for.
        cure: How to get it.
    """

    name: str
    ask: tuple[str, ...]
    oldest: tuple[int, int, int]
    use: str
    cure: str
    recommended: tuple[int, int, int] | None = None
    drawback: str = ""


PULUMI = Program(
    name="pulumi",
    ask=("version",),
    oldest=(3, 0, 0),
    use="every preview and update",
    cure="install Pulumi 3.250 or newer; `make setup` puts one into .tools/bin, which must then be on PATH",
    recommended=(3, 250, 0),
    drawback="this project was never run with an older one than 3.250",
)
PACKER = Program(
    name="packer",
    ask=("version",),
    oldest=OLDEST,
    use="the bake",
    cure="install Packer 1.14 or newer; `make setup` puts one into .tools/bin, which must then be on PATH",
    recommended=RECOMMENDED,
    drawback="before 1.14 it asks GitHub alone for plugins: 60 requests an hour, and not the current ones",
)
ANSIBLE = Program(
    name="ansible-playbook",
    ask=("--version",),
    oldest=(2, 18, 0),
    use="the bake, whose Packer plugin runs it",
    cure="put .venv/bin first on PATH: the project's virtual environment has ansible-core",
)
SSH = Program(
    name="ssh",
    ask=("-V",),
    oldest=(8, 0, 0),
    use="Ansible and the checks on the validation machines",
    cure="install the OpenSSH client (Debian: apt-get install openssh-client)",
)
GITLEAKS = Program(
    name="gitleaks",
    ask=("version",),
    oldest=(8, 25, 0),
    use="the search for secrets on the validation machines",
    cure="install gitleaks; `make setup` puts the pinned one into .tools/bin, which must then be on PATH",
)
GIT = Program(
    name="git",
    ask=("--version",),
    oldest=(2, 0, 0),
    use="the tag GitCommit of an image",
    cure="install git",
)


def program(wanted: Program) -> Iterator[Finding]:
    """Whether a program is on PATH, and new enough."""
    subject = Subject(wanted.name, HERE)
    path = programs.found(wanted.name)
    needed = f"{wanted.use} needs {wanted.name} {programs.dotted(wanted.oldest)} or newer"
    if path is None:
        yield subject.fail("not on PATH", cause=needed, cure=wanted.cure)
        return
    said = programs.ask(path, *wanted.ask)
    version = programs.version_in(said.out or said.err)
    if said.status != 0 or version is None:
        yield subject.fail(f"{path}: {said.problem}", cause="it does not tell its version", cure=wanted.cure)
    elif version < wanted.oldest:
        yield subject.fail(f"{programs.dotted(version)} ({path})", cause=needed, cure=wanted.cure)
    elif wanted.recommended is not None and version < wanted.recommended:
        yield subject.warn(f"{programs.dotted(version)} ({path})", cause=wanted.drawback, cure=wanted.cure)
    else:
        yield subject.ok(f"{programs.dotted(version)} ({path})")


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


def packages(installed: Mapping[str, str] | None = None) -> Iterator[Finding]:
    """Whether the virtual environment is there and has what the lock file says.

    Args:
        installed: Name to version; None asks the environment.
    """
    subject = Subject("packages", HERE)
    cure = "`make setup`, or: python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt"
    if installed is None:
        if not PYTHON.exists():
            yield subject.fail(
                f"no {PYTHON}", cause="the program runs in the virtual environment .venv", cure=cure
            )
            return
        installed = of_the_environment()
    wrong = differing(LOCK.read_text(encoding="utf-8"), installed) if LOCK.exists() else []
    if wrong:
        shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")  # noqa: PLR2004
        missing = any("missing" in text for text in wrong)
        cause = f"the virtual environment is not what {LOCK} pins"
        yield (subject.fail if missing else subject.warn)(shown, cause=cause, cure=cure)
    else:
        yield subject.ok(
            f"{len(installed)} packages in {PYTHON.parent.parent}, Python {sys.version.split()[0]}"
        )


def of_the_environment() -> dict[str, str]:
    """The packages in the project's virtual environment: canonical name to version.

    Raises:
        OSError: It has no interpreter that could be asked.
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
        if not line or line[0] in " #-" or not text:
            continue
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            wrong.append(f"{text}: not understood")
            continue
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        version = installed.get(str(canonicalize_name(wanted.name)))
        if version is None:
            wrong.append(f"{wanted.name} missing")
        elif not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} instead of {wanted.specifier}".replace("==", ""))
    return wrong
