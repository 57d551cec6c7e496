"""Gitleaks, which recognises secrets in texts: its own maintained rules, and those of gitleaks.toml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.scanning.secretscan import Finding

if TYPE_CHECKING:
    from collections.abc import Mapping

RULES = Path(__file__).with_name("gitleaks.toml")
NPM_RULES = Path(__file__).with_name("gitleaks-npm.toml")
TOOLS = Path(".tools/bin")
"""Where the project's set-up puts it."""

REDACTION_SECONDS = 60.0


def scan(root: Path, *, timeout: float, rules: Path = RULES) -> list[Finding]:
    """Findings in all files below `root`.

    Args:
        root: The folder.
        timeout: In seconds.
        rules: Gitleaks' configuration.

    Raises:
        PipelineError: Gitleaks is not there, fails, or does not end in time.
    """
    found = _run(["dir", str(root), "--redact"], "", timeout, rules)
    return [
        Finding(os.path.relpath(entry["File"], root), int(entry["StartLine"]), str(entry["RuleID"]))
        for entry in found
    ]


def redacted(text: str, *, timeout: float = REDACTION_SECONDS) -> str:
    """A text without the secrets that are recognised in it, each replaced by its rule's name.

    Raises:
        PipelineError: As `scan`.
    """
    return without(text, recognised(text, timeout=timeout))


def recognised(text: str, *, timeout: float = REDACTION_SECONDS) -> dict[str, str]:
    """The secrets in a text, each with its rule's name.

    Raises:
        PipelineError: As `scan`.
    """
    if not text.strip():
        return {}
    # The report comes through a pipe: what was found is written to no disk.
    return {str(entry["Secret"]): str(entry["RuleID"]) for entry in _run(["stdin"], text, timeout)}


def without(text: str, found: Mapping[str, str]) -> str:
    """A text in which each of the secrets is replaced by its rule's name."""
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, f"[{found[secret]}]")
    return text


def command() -> str:
    """The program's path.

    Raises:
        PipelineError: It is not on PATH, and the project's set-up has not put it in place.
    """
    found = shutil.which("gitleaks", path=os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS)]))
    if found is None:
        raise PipelineError(
            "gitleaks is not on PATH",
            allowed="gitleaks 8.25 or newer, which knows the forms of secrets",
            change="`make setup` installs it for this project, in .tools/bin; or install it yourself",
        )
    return str(Path(found).absolute())


def _run(words: list[str], text: str, timeout: float, rules: Path = RULES) -> list[dict[str, Any]]:
    program = command()
    with tempfile.TemporaryDirectory(prefix="golden-image-") as folder:
        argv = [
            program, *words, f"--config={rules}", f"--gitleaks-ignore-path={folder}",
            "--ignore-gitleaks-allow", "--no-banner", "--no-color", "--log-level=error",
            "--exit-code=0", "--report-format=json", "--report-path=-",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                argv, cwd=folder, input=text.encode(), capture_output=True, timeout=timeout or 1, check=False
            )
        except subprocess.TimeoutExpired:
            raise PipelineError(
                "the scan for secrets did not end in time",
                seen=f"gitleaks ran for {timeout:.0f} s",
                change="golden-image:validation.timeoutSeconds in the stack file",
            ) from None
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout or "null") or []
    except ValueError:
        found = []
        done.returncode = done.returncode or 1
    if done.returncode != 0:
        raise PipelineError(
            "gitleaks could not scan", seen=done.stderr.decode(errors="replace").strip()[-600:]
        )
    return found
