"""Every check that is not a test: format, lint, types, templates, playbooks, shell.

Runs all of them, and fails if any failed.

Usage: python -m tools.checks
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

SHELL_SCRIPTS = (".ci/run", "bin/step", *sorted(
    str(path.relative_to(PROJECT)) for path in (PROJECT / "packer/scripts").glob("*.sh")
))  # fmt: skip

ROLES = sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "packer/roles").iterdir())

# The schemas come with the package: nothing is asked of the network.
PIPELINES: tuple[tuple[str, ...], ...] = (
    ("check-jsonschema", "--builtin-schema=vendor.gitlab-ci", "--data-transform=gitlab-ci", ".gitlab-ci.yml"),
    (
        "check-jsonschema",
        "--builtin-schema=vendor.github-workflows",
        ".github/workflows/golden-image.yml",
    ),
)

STACK_FILES = (
    "Pulumi.dev.yaml",
    "Pulumi.prod.yaml",
    "lab/stacks/Pulumi.dev.yaml",
    "lab/stacks/Pulumi.prod.yaml",
)

CHECKS: tuple[tuple[str, ...], ...] = (
    ("ruff", "format", "--check", "."),
    ("ruff", "check", "."),
    ("mypy", "."),
    ("packer", "fmt", "-check", "-recursive", "packer"),
    ("packer", "validate", "packer"),
    ("ansible-lint", "--offline", "packer/ansible", *ROLES),
    ("shellcheck", *SHELL_SCRIPTS),
    *PIPELINES,
    ("check-jsonschema", "--schemafile=docs/stack-file.schema.json", *STACK_FILES),
)


def main() -> int:
    """Run all checks; 1 if any failed."""
    env = {
        **os.environ,
        "CHECKPOINT_DISABLE": "1",
        "PACKER_PLUGIN_PATH": str((PROJECT / ".tools/packer-plugins").resolve()),
        # validate asks nothing of AWS.
        "PKR_VAR_skip_credential_validation": "true",
        "PKR_VAR_skip_metadata_api_check": "true",
    }
    failed = []
    for check in CHECKS:
        started = time.monotonic()
        done = subprocess.run(
            check,
            cwd=PROJECT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        name = " ".join(check[:3])
        print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name} ({time.monotonic() - started:.0f} s)")
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
