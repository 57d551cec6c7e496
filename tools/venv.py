"""The project's virtual environment, from the locked requirements with their hashes."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
import sysconfig
from pathlib import Path

from tools import cache
from tools.say import SetupError, run

PROJECT = Path(__file__).resolve().parent.parent
LOCKS = ("tools/uv.txt", "requirements-dev.txt")


def key() -> str:
    """Key of the environment: the locks, this interpreter, and how it is built."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for name in LOCKS:
        digest.update((PROJECT / name).read_bytes())
    digest.update(f"{platform.python_version()} {sysconfig.get_platform()} {sys.base_prefix}".encode())
    return digest.hexdigest()[:16]


def ensure() -> Path:
    """The environment's folder, linked as ``.venv`` in the checkout.

    Raises:
        SetupError: A package could not be installed.
    """
    folder = cache.entry("venv", key(), _build)
    link(PROJECT / ".venv", folder)
    return folder


def _build(folder: Path) -> None:
    bootstrap = folder / "bootstrap"
    _venv(bootstrap)
    pip = [str(bootstrap / "bin/python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
    run("installing the installer", [*pip, "-r", str(PROJECT / LOCKS[0])])
    # With pip: Pulumi asks it for the installed packages.
    _venv(folder)
    # The machine's own certificates, as pip does it: a proxy of the house may stand in between.
    uv = [str(bootstrap / "bin/uv"), "pip", "install", "--quiet", "--require-hashes", "--system-certs"]
    # Byte code, as pip makes it: without, and where PYTHONDONTWRITEBYTECODE is set, each start of Python would compile
    # all that it imports, the SDK's thousand modules before all.
    into = ["--compile-bytecode", "--python", str(folder / "bin/python")]
    run("installing the Python packages", [*uv, *into, "-r", str(PROJECT / LOCKS[1])])


def _venv(folder: Path) -> None:
    run(
        "making a virtual environment",
        [sys.executable, "-m", "venv", str(folder)],
        env={name: value for name, value in os.environ.items() if name != "PYTHONHOME"},
    )


def link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, whatever link it was before.

    Raises:
        SetupError: Something that is not a link stands there.
    """
    if path.is_symlink():
        if path.readlink() == target:
            return
        path.unlink()
    elif path.exists():
        raise SetupError(f"{path} is there and is not a link of ours: move it away")
    path.symlink_to(target)
