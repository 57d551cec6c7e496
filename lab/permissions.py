"""IAM, thinly: which caller may do what, by actions and by the names of SSM parameters. Conditions are not weighed.

A caller is its access key id. One without policies may do everything, as the lab's own credentials do.
"""

from __future__ import annotations

import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from lab import settings as lab_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.calls import Caller

ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})
"""IAM lets everybody do this, and a policy cannot even deny it (STS API reference, GetCallerIdentity)."""

_PARAMETER_KEYS = ("Name", "Path")
"""Where the calls of SSM name the parameter."""


class Permissions:
    """The policies in force, by access key id."""

    def __init__(self) -> None:
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
        wanted = f"{caller.service}:{action}"
        with self._lock:
            statements = self._policies.get(caller.key)
        if statements is None or wanted in ALWAYS_ALLOWED:
            return None
        resource = _parameter(caller.service, arguments)
        if any(_allows(statement, wanted, resource) for statement in statements):
            return None
        who = f"arn:aws:iam::{lab_settings.ACCOUNT_ID}:user/{caller.key}"
        on = f" on resource: {resource}" if resource else ""
        return (
            f"User: {who} is not authorized to perform: {wanted}{on} because no identity-based policy allows "
            f"the {wanted} action"
        )


def _parameter(service: str, arguments: Mapping[str, Any]) -> str | None:
    """The ARN of the SSM parameter that a call is about, if it is about one."""
    name = next((arguments[key] for key in _PARAMETER_KEYS if key in arguments), None)
    if service != "ssm" or name is None:
        return None
    return f"arn:aws:ssm:{lab_settings.REGION}:{lab_settings.ACCOUNT_ID}:parameter{name}"


def _allows(statement: Mapping[str, Any], wanted: str, resource: str | None) -> bool:
    actions, resources = (
        [found] if isinstance(found, str) else found for found in (statement["Action"], statement["Resource"])
    )
    return wanted in actions and (resource is None or any(fnmatchcase(resource, one) for one in resources))
