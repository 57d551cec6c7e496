"""Gitleaks, which recognises secrets in texts: its own maintained rules, and those of gitleaks.toml."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.secretscan import Finding

RULES = Path(__file__).with_name("gitleaks.toml")
TOOLS = Path(".tools/bin")
"""Where the project's set-up puts it."""


def scan(root: Path, *, timeout: float) -> list[Finding]:
    """Findings in all files below `root`.

    Args:
        root: The folder.
        timeout: In seconds.

    Raises:
        PipelineError: Gitleaks is not there, fails, or does not end in time.
    """
    command = shutil.which("gitleaks", path=os.pathsep.join([os.environ.get("PATH", ""), str(TOOLS)]))
    if command is None:
        raise PipelineError(
            "gitleaks is not on PATH",
            allowed="gitleaks 8.25 or newer, which knows the forms of secrets",
            change="make setup brings it, or install it",
        )
    with tempfile.TemporaryDirectory(prefix="golden-image-") as folder:
        report = Path(folder) / "report.json"
        argv = [
            str(Path(command).absolute()), "dir", str(root), f"--config={RULES}", f"--gitleaks-ignore-path={folder}",
            "--ignore-gitleaks-allow", "--redact", "--no-banner", "--no-color", "--log-level=error",
            "--exit-code=0", "--report-format=json", f"--report-path={report}",
        ]  # fmt: skip
        try:
            done = subprocess.run(
                argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=timeout or 1, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise PipelineError(
                "the scan for secrets did not end in time",
                seen=f"gitleaks ran for {timeout:.0f} s",
                change="golden-image:validation.timeoutSeconds in the stack file",
            ) from None
        if done.returncode != 0 or not report.exists():
            raise PipelineError("gitleaks could not scan", seen=(done.stderr or done.stdout).strip()[-600:])
        found = json.loads(report.read_text())
    return [
        Finding(os.path.relpath(entry["File"], root), int(entry["StartLine"]), str(entry["RuleID"]))
        for entry in found
    ]
