"""Commands built from their pinned Go modules, whose content go.sum fixes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tools.downloads import make_executable
from tools.say import SetupError, run

if TYPE_CHECKING:
    from tools.pinned import Tool

FETCHES_TOOLCHAINS = (1, 21)
"""The oldest Go that fetches a newer one by itself where a module asks for it (go.dev, "Go Toolchains")."""

_STALE = "{{if .Stale}}{{.ImportPath}}{{end}}"


def problem(tools: list[Tool]) -> str | None:
    """Why this machine's Go cannot build the tools, or None if it can."""
    names = ", ".join(f"{tool.name} {tool.version}" for tool in tools)
    go = shutil.which("go")
    if go is None:
        return (
            f"there is no Go on PATH, which {names} must be built with: install Go {_needed(tools)} or newer "
            "(go.dev/dl; Debian's golang-go may be too old), or install these tools yourself"
        )
    asked = subprocess.run(
        [go, "env", "GOVERSION", "GOTOOLCHAIN"], cwd=Path("/"), capture_output=True, text=True, check=False
    )
    version, _, toolchain = asked.stdout.strip().partition("\n")
    found = parse_go(version.removeprefix("go"))
    if found >= parse_go(_needed(tools)) or (found >= FETCHES_TOOLCHAINS and toolchain != "local"):
        return None
    return (
        f"{go} is {version or 'of an unknown version'}; {names} must be built with Go {_needed(tools)} or newer: "
        "install it, or set GOTOOLCHAIN=auto, with which Go 1.21 or newer fetches it"
    )


def parse_go(text: str) -> tuple[int, ...]:
    """The numbers of a version of Go; of something else none, which is older than any."""
    found = re.match(r"\d+(\.\d+)*", text)
    return tuple(map(int, found[0].split("."))) if found else ()


def _needed(tools: list[Tool]) -> str:
    """The newest Go that the go.mod of one of the tools asks for."""
    texts = [(tool.pins / "go.mod").read_text() for tool in tools]
    asked = [found[1] for text in texts if (found := re.search(r"^go (\S+)", text, re.MULTILINE))]
    return max(asked, key=parse_go)


def build(tool: Tool, folder: Path) -> None:
    """Build a tool into a folder.

    Raises:
        SetupError: There is no Go, or the build failed.
    """
    what = f"building {tool.name} {tool.version}"
    if reason := problem([tool]):
        raise SetupError(reason)
    go = str(shutil.which("go"))
    flags = ["-trimpath", "-mod=readonly", "-ldflags", tool.ldflags.format(version=tool.version)]
    stale = run(
        f"{what}: fetching its Go modules",
        [go, "list", "-deps", *flags, "-f", _STALE, tool.package],
        cwd=tool.pins, unit="modules", counted=r"^go: downloading ",
    )  # fmt: skip
    packages = sum(1 for line in stale if _is_package(line))
    run(
        f"{what} from its Go module",
        [go, "build", "-v", *flags, "-o", str(folder / tool.name), tool.package],
        cwd=tool.pins, unit="packages", total=packages, counted=_PACKAGE,
    )  # fmt: skip
    for name in tool.extra:
        module = subprocess.run(
            [go, "list", "-m", "-f", "{{.Dir}}", tool.module],
            cwd=tool.pins, capture_output=True, text=True, check=True,
        )  # fmt: skip
        target = folder / Path(name).name
        shutil.copyfile(Path(module.stdout.strip()) / name, target)
        make_executable(target)


_PACKAGE = r"^[\w.~/-]+$"
"""A line that names a package, and nothing else."""


def _is_package(line: str) -> bool:
    return re.match(_PACKAGE, line) is not None
