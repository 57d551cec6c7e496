"""What the identity must be allowed to do, and why: the policies in iam/, and their list of reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["preview", "promote", "bake"]

FOLDER = Path(__file__).resolve().parents[2] / "iam"
REASONS = FOLDER / "actions.yaml"


def policy_file(kind: Kind) -> Path:
    """The policy for one kind of work."""
    return FOLDER / f"{kind}.json"


def needed_actions(kind: Kind) -> Mapping[str, str]:
    """IAM action to who calls it and for what, by name.

    Args:
        kind: ``preview``: a preview of any stack. ``promote``: an update of a stack that takes an existing image.
            ``bake``: an update of a stack that makes its image itself.

    Raises:
        OSError: A file of iam/ cannot be read.
        KeyError: An action has no reason.
    """
    policy: dict[str, Any] = json.loads(policy_file(kind).read_text(encoding="utf-8"))
    reasons: dict[str, str] = YAML(typ="safe").load(REASONS)
    names = {action for statement in policy["Statement"] for action in _listed(statement["Action"])}
    return {name: reasons[name] for name in sorted(names)}


def _listed(value: str | list[str]) -> list[str]:
    """IAM allows one text for a list of one."""
    return [value] if isinstance(value, str) else value
