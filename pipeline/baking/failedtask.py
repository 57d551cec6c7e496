"""Which task of the playbook ended a bake, and what it had to say, from what Packer printed."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline.baking.livelog import PREFIX

END = "Error executing Ansible"
OUTPUT_LINES = 8
"""Lines of a command's output that are shown, its last ones."""

_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(?:\S*/)?(.*)\] \**$")
"""Ansible names a role that is included by its folder; the name alone is enough."""

_FAILED = re.compile(
    r"^(?:fatal|failed): \[([^\]]*)\](.*?): (?:FAILED|UNREACHABLE)! => (.*)$|^failed: \[([^\]]*)\](.*?) => (.*)$"
)
_OUTPUTS = ("stderr", "module_stderr", "stdout", "module_stdout")


def begun_task(line: str) -> str | None:
    """The name of the task that begins with a line without Packer's prefix; or None."""
    begun = _TASK.match(line)
    return begun[1] if begun else None


def failed_task(text: str) -> str | None:
    """The task's name, its message, and the end of its output; None where no task ended the bake.

    Args:
        text: Packer's log.
    """
    if END not in text:
        return None
    task, found = "", None
    for raw in text.splitlines():
        line = PREFIX.sub("", raw)
        begun, failed = begun_task(line), _FAILED.match(line)
        if begun is not None:
            task = begun
        elif failed:
            item, result = (failed[2], failed[3]) if failed[3] else (failed[5], failed[6])
            found = "\n".join([f"TASK [{task}]{item}", *_message(result)])
        elif line.strip() == "...ignoring":
            found = None
    return found


def _message(result: str) -> list[str]:
    """What Ansible's result says, in lines."""
    try:
        values: dict[str, Any] = json.loads(result)
    except ValueError:
        return [result]
    message = str(values.get("msg") or values.get("censored") or result)
    output = next((str(values[name]) for name in _OUTPUTS if str(values.get(name) or "").strip()), "")
    shown = [line for line in output.splitlines() if line.strip() and line not in message]
    return [*message.splitlines(), *shown[-OUTPUT_LINES:]]
