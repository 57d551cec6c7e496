"""IAM, thinly: which caller may do what. Policies only allow; the conditions are those that iam/ uses.

A caller is its access key id. One without policies may do everything, as the lab's own credentials do.
"""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from lab import access
from lab import settings as lab_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.access import Wanted
    from lab.calls import Caller

ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})
"""IAM lets everybody do this, and a policy cannot even deny it (STS API reference, GetCallerIdentity)."""


class Permissions:
    """The policies in force, by access key id.

    Args:
        tags_of: The tags of a resource, by its id (`lab.access.wanted`).
    """

    def __init__(self, tags_of: Callable[[str], Mapping[str, str]]) -> None:
        self._tags_of = tags_of
        self._policies: dict[str, list[Mapping[str, Any]]] = {}
        self._lock = threading.Lock()

    def set(self, policies: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Replace all: access key id to its policy documents, whose effects are all ``Allow``."""
        with self._lock:
            self._policies = {
                key: [statement for document in documents for statement in document["Statement"]]
                for key, documents in policies.items()
            }

    def refusal(self, caller: Caller, action: str, arguments: Mapping[str, Any]) -> str | None:
        """Why a call is not allowed, in IAM's words; None if it is."""
        with self._lock:
            statements = self._policies.get(caller.key)
        if statements is None:
            return None
        for wanted in access.wanted(caller, action, arguments, self._tags_of):
            if wanted.action in ALWAYS_ALLOWED or any(allows(one, wanted) for one in statements):
                continue
            who = f"arn:aws:iam::{lab_settings.ACCOUNT_ID}:user/{caller.key}"
            on = f" on resource: {wanted.resource}" if wanted.resource else ""
            return (
                f"User: {who} is not authorized to perform: {wanted.action}{on} because no identity-based policy "
                f"allows the {wanted.action} action"
            )
        return None


def allows(statement: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether a statement of a policy allows that.

    An action that is about no resource must be allowed for all: "you must use a wildcard" (IAM user guide, elements of
    a policy, Resource).
    """
    if wanted.action not in _listed(statement["Action"]):
        return False
    resource = wanted.resource or "*"
    return any(fnmatchcase(resource, one) for one in _listed(statement["Resource"])) and all(
        _holds(operator, _listed(wanted.context.get(key, [])), _listed(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _holds(operator: str, seen: Sequence[str], values: Sequence[str]) -> bool:
    """Whether a condition holds for the values that a key has; none means that the key is not there.

    Raises:
        ValueError: The lab does not know the operator.
    """
    if operator.endswith("IfExists") and not seen:
        return True
    match operator.removesuffix("IfExists"):
        case "StringEquals":
            return any(one in values for one in seen)
        case "StringLike" | "ArnLike":
            return any(fnmatchcase(one, value) for one in seen for value in values)
        case "ForAllValues:StringEquals":
            return all(one in values for one in seen)
        case "ForAllValues:StringNotLike":
            return not any(fnmatchcase(one, value) for one in seen for value in values)
        case "Null":
            return (not seen) is (values[0] == "true")
        case _:
            raise ValueError(f"the lab does not know the condition operator {operator}")


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    """IAM allows one text for a list of one."""
    return [value] if isinstance(value, str) else value
