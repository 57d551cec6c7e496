"""What machines that failed have printed: the end of it, and nothing that may not be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.scanning import gitleaks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.aws.machines import Machines

MACHINES = 3
"""Of how many machines the console is read: they have one image, and each console costs a call."""

LINES = 20
"""How many lines are shown of each."""

_BEGIN, _END = "-----BEGIN SSH HOST KEY", "-----END SSH HOST KEY"
"""Around what cloud-init prints last on every machine: keys and fingerprints, a screenful."""


class Consoles:
    """The consoles of the first machines that failed.

    EC2 is minutes behind, and keeps the console of a machine that has ended for about an hour (EC2 user guide,
    "Instance console output"): so each is read when its machine fails, and once more at the end.

    Args:
        machines: Where they are read.
    """

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._read: dict[str, str] = {}
        self._errors: dict[str, str] = {}

    def read(self, instance_id: str) -> None:
        """Read one; what was read before stays if EC2 has nothing more. An error is shown in its place (`tail`)."""
        if instance_id not in self._read and len(self._read) >= MACHINES:
            return
        before = self._read.setdefault(instance_id, "")
        try:
            self._read[instance_id] = self._machines.console(instance_id) or before
        except PipelineError as error:
            # No reason to leave a roll-out half done.
            self._errors[instance_id] = error.what

    def tail(self, instance_id: str) -> list[str]:
        """The last lines, without secrets; none of a machine that was not read."""
        if instance_id not in self._read:
            return []
        self.read(instance_id)
        text = self._read[instance_id]
        if not text:
            return [
                f"(no console: {self._errors.get(instance_id, 'nothing yet; EC2 may be minutes behind')})"
            ]
        try:
            text = gitleaks.redacted(text)
        except PipelineError as error:
            return [f"(the console is not shown, for nothing looked for secrets in it: {error.what})"]
        return list(_without_keys(visible.uncoloured(text)))[-LINES:]


def _without_keys(lines: Iterable[str]) -> Iterator[str]:
    """The lines without what cloud-init says of the machine's host keys."""
    inside = False
    for line in lines:
        if _BEGIN in line or _END in line:
            inside = _BEGIN in line
        elif not inside and not line.endswith("####"):
            yield line
