"""The policies of iam/ as data, for their unit and end-to-end tests."""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FOLDER = Path(__file__).resolve().parent.parent / "iam"
POLICIES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def document(policy: str) -> dict[str, Any]:
    """The policy document."""
    found: dict[str, Any] = json.loads((FOLDER / f"{policy}.json").read_text())
    return found


def listed(value: str | list[str]) -> list[str]:
    """IAM allows one text for a list of one."""
    return [value] if isinstance(value, str) else value


def actions(policy: str) -> set[str]:
    """All actions that a policy allows, such as ``ec2:RunInstances``."""
    return {action for statement in document(policy)["Statement"] for action in listed(statement["Action"])}


def not_in_the_lab() -> dict[str, dict[str, str]]:
    """Policy to the actions that only AWS needs, with their source."""
    found: dict[str, dict[str, str]] = YAML(typ="safe").load(FOLDER / "not-in-the-lab.yaml")
    return found


def reasons() -> dict[str, str]:
    """Every action of any policy to who calls it, and for what."""
    found: dict[str, str] = YAML(typ="safe").load(FOLDER / "actions.yaml")
    return found
