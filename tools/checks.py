"""Every check that is not a test: format, lint, types, templates, playbooks, shell.

Runs all of them, or those of some programs, and fails if any failed.

Usage: python -m tools.checks [PROGRAM…]
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tools import cache

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parent.parent

SHELL_SCRIPTS = (".ci/run", "bin/step", *sorted(
    str(path.relative_to(PROJECT)) for path in (PROJECT / "packer/scripts").glob("*.sh")
))  # fmt: skip

ROLES = sorted(str(path.relative_to(PROJECT)) for path in (PROJECT / "packer/roles").iterdir())

# The schemas come with the package: nothing is asked of the network.
PIPELINES: tuple[tuple[str, ...], ...] = (
    ("check-jsonschema", "--builtin-schema=vendor.gitlab-ci", "--data-transform=gitlab-ci", ".gitlab-ci.yml"),
    *(
        ("check-jsonschema", "--builtin-schema=vendor.github-workflows", f".github/workflows/{name}.yml")
        for name in ("golden-image", "stage", "retire")
    ),
    ("check-jsonschema", "--builtin-schema=vendor.github-actions", ".github/actions/set-up/action.yml"),
    ("check-jsonschema", "--builtin-schema=vendor.renovate", "renovate.json"),
)

STACK_FILES = sorted(
    str(path.relative_to(PROJECT))
    for folder in (".", "lab/stacks")
    for path in (PROJECT / folder).glob("Pulumi.*.yaml")
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
    ("check-jsonschema", "--schemafile=docs/role.schema.json", *(f"{role}/role.yaml" for role in ROLES)),
)


def main(programs: Sequence[str]) -> int:
    """Run the checks of some programs, or all; 1 if any failed.

    Raises:
        SystemExit: A program has no check.
    """
    unknown = set(programs) - {check[0] for check in CHECKS}
    if unknown:
        sys.exit(f"no check runs {', '.join(sorted(unknown))}")
    own = [str(PROJECT / folder) for folder in (".venv/bin", ".tools/bin")]
    env = {
        **os.environ,
        "PATH": os.pathsep.join([*own, os.environ["PATH"]]),
        "CHECKPOINT_DISABLE": "1",
        # Outside the checkout: a fresh clone need not check the types of all libraries again.
        "MYPY_CACHE_DIR": str(cache.root() / "mypy"),
        "PACKER_PLUGIN_PATH": str((PROJECT / ".tools/packer-plugins").resolve()),
        # validate asks nothing of AWS.
        "PKR_VAR_skip_credential_validation": "true",
        "PKR_VAR_skip_metadata_api_check": "true",
        "PKR_VAR_image_role": "any",
    }
    failed = []
    for check in (one for one in CHECKS if not programs or one[0] in programs):
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
    sys.exit(main(sys.argv[1:]))
