"""Results of checks as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass

DESCRIPTOR_VARIABLE = "GOLDEN_IMAGE_RESULTS"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"

_HOST = re.compile(r"ssh://(?:[^@\]/]*@)?(\d+\.\d+\.\d+\.\d+)(?::\d+)?-?")
"""Testinfra's parameter, such as ``ssh://admin@192.0.2.7``."""

_AGAIN = re.compile(r"after-[a-z]+::")
"""What the gate puts before the name of a check that runs once more."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One check on one machine.

    Attributes:
        check: File and function, such as ``test_web.py::test_health``, and its parameters, if it has some.
        address: The machine's address; empty for a check that looks at none or at all of them.
        outcome: ``passed``, ``failed`` or ``skipped``.
        seconds: How long it took.
        seen: What was found, for a failure.
        wanted: What should have been found, where the check compares two values.
    """

    check: str
    address: str
    outcome: str
    seconds: float
    seen: str = ""
    wanted: str = ""


def name_of(nodeid: str) -> tuple[str, str]:
    """A check's name and the address of its machine, from pytest's id for both."""
    name, bracket, parameters = nodeid.partition("[")
    host = _HOST.search(parameters)
    others = _HOST.sub("", parameters.removesuffix("]")).removesuffix("-")
    name = name.rpartition("/")[2]
    return f"{name}[{others}]" if bracket and others else name, host[1] if host else ""


def allowed_name(check: str) -> str:
    """The name by which a stack allows a check to skip: without parameters, and the same whenever it runs."""
    return check[again.end() if (again := _AGAIN.match(check)) else 0 :].partition("[")[0]
