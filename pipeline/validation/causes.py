"""What a failed check most likely means: cause and cure, by the name of the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.settings import role as roles

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Cause:
    """Why checks whose names begin with one of the prefixes fail, and what to do."""

    prefixes: tuple[str, ...]
    cause: str
    cure: str


CAUSES = (
    Cause(
        ("identity::", "test_identity.py::"),
        "machines would share an identity: machine-id, host keys or cloud-init state were baked in",
        "clean it before the snapshot (packer/scripts/clean.sh), so that each machine makes its own at first boot",
    ),
    Cause(
        ("secrets::",),
        "a secret or a leftover was baked in, and would be on every machine of the fleet",
        "bake without it, rotate it, and give it to machines at run time (instance role, secret manager)",
    ),
    Cause(
        ("accounts::",),
        "somebody could log in to every machine of the fleet, or become root there, with what the image has",
        "lock the password, remove the account, rule or key in the role that makes it, or allow it with a reason in "
        "golden-image:validation.allowedSkips",
    ),
    Cause(
        ("allowed-skips::",),
        "an entry of golden-image:validation.allowedSkips allows nothing: no check has its name",
        "write the name as the report has it, or take the entry out of the stack file",
    ),
    Cause(
        ("floor::role-test", "suite::"),
        "the checks prove less than they seem to",
        "each check has to come to a result; see its name above",
    ),
    Cause(
        ("after-reboot::",),
        "machines would not come up a second time as they did the first",
        "what does the first boot leave behind, and what is not enabled for the next one?",
    ),
    Cause(
        ("after-soak::", "stays-up::"),
        "a service would end or be started again and again soon after the boot",
        "its journal on the machine says why; fix the role that sets it up",
    ),
    Cause(
        ("test_boot.py::", "floor::ssh"),
        "machines would come up with failed units",
        "the journal above names the unit; fix the role that sets it up",
    ),
    Cause(
        ("test_telemetry.py::", "test_logging.py::", "floor::node-exporter", "floor::journal"),
        "machines would come up without the baseline that they are watched by",
        "the roles node-exporter and journald in packer/ansible/ set it up",
    ),
)


def explain(checks: list[str], *, role: str, template: Path = roles.TEMPLATE) -> list[Cause]:
    """The causes that match any of these checks, in the order of gravity; last that of the role's own checks.

    Args:
        checks: Names of checks that failed.
        role: What the image is for.
        template: The template's folder.
    """
    folder = template / roles.FOLDER / role
    own = Cause(
        ("floor::health", *(f"{path.name}::" for path in sorted((folder / roles.CHECKS).rglob("test_*.py")))),
        "machines would come up unhealthy though the build passed",
        f"{folder}/ sets up what role {role} is for; is it enabled at boot?",
    )
    return [known for known in (*CAUSES, own) if any(check.startswith(known.prefixes) for check in checks)]
