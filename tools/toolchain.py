"""Pulumi, its Python language host, Packer, two Packer plugins and gitleaks, at pinned versions.

For each, in this order: the one on PATH if it is new enough; the official download where it can be
reached; built from its pinned Go module, whose content go.sum pins. ``GOLDEN_IMAGE_TOOLS=build`` skips the
first two, for a set-up that is the same everywhere. ``GOLDEN_IMAGE_TOOLS=oldest`` does, too, and takes the oldest
Pulumi, Packer and plugins that the project is run with: `make oldest`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path

from tools import cache, downloads, gobuild
from tools.pinned import (
    GITLEAKS,
    LANGUAGE_HOST,
    OLDEST,
    OLDEST_PACKER,
    OLDEST_PLUGINS,
    OLDEST_PULUMI,
    PACKER,
    PLUGINS,
    PULUMI,
    Tool,
)
from tools.say import SetupError, run, say, side_by_side
from tools.venv import PROJECT, link

MODES = ("auto", "build", OLDEST)


def ensure() -> None:
    """Put the commands into ``.tools/bin`` and the plugins into ``.tools/packer-plugins``.

    Raises:
        SetupError: A tool is to be had in none of the ways.
    """
    mode = _mode()
    bin_dir = PROJECT / ".tools" / "bin"
    bin_dir.mkdir(parents=True, exist_ok=True)
    pulumi, packer, plugins = _chosen(mode)
    commands: dict[str, Path] = {}

    def rest() -> None:
        commands.update(_commands(GITLEAKS, mode))
        commands.update(_commands(packer, mode))
        folder = _plugins(commands.get("packer") or Path("packer"), plugins)
        link(PROJECT / ".tools" / "packer-plugins", folder)

    # Two at once: each build spends a good part of its time in one package, or in the linker, on one core.
    side_by_side(lambda: commands.update(_commands(pulumi, mode, companions=(LANGUAGE_HOST,))), rest)
    for stale in set(bin_dir.iterdir()) - {bin_dir / name for name in commands}:
        stale.unlink()
    for name, path in commands.items():
        _place(bin_dir / name, path)


def _mode() -> str:
    mode = os.environ.get("GOLDEN_IMAGE_TOOLS", "auto")
    if mode not in MODES:
        raise SetupError(f"GOLDEN_IMAGE_TOOLS is {mode!r}; it can be one of {', '.join(MODES)}")
    return mode


def _chosen(mode: str) -> tuple[Tool, Tool, tuple[Tool, ...]]:
    """Pulumi, Packer and its plugins."""
    return (OLDEST_PULUMI, OLDEST_PACKER, OLDEST_PLUGINS) if mode == OLDEST else (PULUMI, PACKER, PLUGINS)


def to_build() -> list[Tool]:
    """The tools that are to be had only by building them, and have not been built yet.

    Raises:
        SetupError: ``GOLDEN_IMAGE_TOOLS`` is not one of `MODES`.
    """
    mode = _mode()
    pulumi, packer, plugins = _chosen(mode)
    commands = [pulumi, LANGUAGE_HOST, packer, GITLEAKS] if mode != "auto" else []
    return [tool for tool in (*commands, *plugins) if not cache.has("tools", tool.key())]


def _place(target: Path, source: Path) -> None:
    """Have `source` at `target` too, as a hard link or a copy.

    Not as a symbolic link: pulumi looks beside its own real file for its language host, and warns where it has
    to search PATH.
    """
    if target.exists() and target.samefile(source):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _commands(tool: Tool, mode: str, companions: tuple[Tool, ...] = ()) -> dict[str, Path]:
    """Name to file of each command; empty if PATH has all that is needed."""
    needed = tool.takes or (tool.name,)
    if mode == "auto":
        if _on_path(tool, needed):
            return {}
        # Once built, it is not asked for again.
        built = all(cache.has("tools", one.key()) for one in (tool, *companions))
        downloaded = None if built else _download(tool)
        if downloaded is not None:
            return {name: downloaded / name for name in needed}
    found: dict[str, Path] = {}
    for one in (tool, *companions):
        folder = cache.entry("tools", one.key(), lambda new, one=one: gobuild.build(one, new))  # type: ignore[misc]
        found |= {path.name: path for path in folder.iterdir() if not path.name.startswith(".")}
    return found


def _on_path(tool: Tool, needed: tuple[str, ...]) -> bool:
    """Whether PATH, without our own folder, has the commands, at the pinned version or a newer one."""
    ours = PROJECT / ".tools" / "bin"
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if Path(p) != ours)
    if any(shutil.which(name, path=path) is None for name in needed):
        return False
    command = shutil.which(tool.name, path=path)
    done = subprocess.run([str(command), "version"], capture_output=True, text=True, check=False)
    found = parse_version(done.stdout)
    wanted = parse_version(tool.version)
    enough = found is not None and wanted is not None and found[0] == wanted[0] and found >= wanted
    say(f"{tool.name} {'.'.join(map(str, found or ()))} on PATH is {'used' if enough else 'too old'}")
    return enough


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The first version number in what a tool prints."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def _download(tool: Tool) -> Path | None:
    """Folder with the official commands, or None where they cannot be had."""
    word = dict(tool.platforms).get(platform.machine())
    if sys.platform != "linux" or word is None or not tool.archive:
        return None
    url = tool.archive.format(version=tool.version, platform=word)
    sums = tool.checksums.format(version=tool.version)

    def build(folder: Path) -> None:
        what = f"downloading {tool.name} {tool.version}"
        say(f"{what} …")
        downloads.unpack(downloads.fetch(url, sums, what), url, tool.takes, folder)

    try:
        return cache.entry("downloads", f"{tool.name}-{tool.version}-{word}", build)
    except urllib.error.URLError as error:
        say(f"{tool.name}: the official download is out of reach ({error.reason}); building it instead")
        return None


def _plugins(packer: Path, plugins: tuple[Tool, ...]) -> Path:
    """Folder for PACKER_PLUGIN_PATH with both plugins."""
    key = hashlib.sha256(" ".join(tool.key() for tool in plugins).encode()).hexdigest()[:16]

    def install(folder: Path) -> None:
        env = {**os.environ, "PACKER_PLUGIN_PATH": str(folder), "CHECKPOINT_DISABLE": "1"}
        for tool in plugins:
            built = cache.entry("tools", tool.key(), lambda new, tool=tool: gobuild.build(tool, new))  # type: ignore[misc]
            source = "github.com/hashicorp/" + tool.name.removeprefix("packer-plugin-")
            run(
                f"installing {tool.name} {tool.version}",
                [str(packer), "plugins", "install", "--path", str(built / tool.name), source],
                env=env,
            )

    return cache.entry("packer-plugins", key, install)
