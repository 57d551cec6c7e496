"""Whether waiting for a machine still makes sense."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.machines.clones import Clone, Clones
    from pipeline.machines.deadline import Deadline

BOOTED = re.compile(r"Reached target .*multi-user", re.IGNORECASE)
SSHD_FAILED = re.compile(r"Failed to start .*(OpenSSH|sshd?\b)", re.IGNORECASE)
SETTLE_SECONDS = 10.0
"""How long after its boot ended a machine may take to answer."""

SILENT_SECONDS = 60.0
"""How long the console is not believed while it may still be that of the boot before: EC2 keeps it for a while."""


class BootWatch:
    """Looks at a machine that does not answer yet, and gives up when it never will.

    Args:
        clone: The machine.
        clones: Who can look at it.
        deadline: The clock.
        again: Whether the boot that is waited for is still to come: what the console has up to now is another's.
    """

    def __init__(self, clone: Clone, clones: Clones, deadline: Deadline, *, again: bool = False) -> None:
        self._clone = clone
        self._clones = clones
        self._deadline = deadline
        self._booted_at: float | None = None
        self._earlier: str | None = clones.console(clone, lines=None) if again else None
        self._begun = deadline.elapsed()

    def check(self) -> None:
        """Raise if waiting is pointless.

        Raises:
            PipelineError: The machine is not running any more, or its console says that its sshd will not come.
        """
        state = self._clones.state(self._clone)
        if state != "running":
            raise PipelineError(
                f"{self._clone} is {state}, though nobody asked it to stop",
                seen=f"state {state}",
                allowed="state running",
                change="check its console output in the log, above; did its boot end in a shutdown, or did it run out "
                "of golden-image:validation.keepMinutes?",
            )
        console = self._console()
        failed = SSHD_FAILED.search(console)
        if failed:
            raise PipelineError(
                f"{self._clone} never answers on TCP port 22: its sshd does not start",
                seen=failed[0],
                change="check the console output in the log, above",
            )
        if self._booted_at is None and BOOTED.search(console):
            self._booted_at = self._deadline.elapsed()
        if self._booted_at is not None and self._deadline.elapsed() - self._booted_at > SETTLE_SECONDS:
            raise PipelineError(
                f"{self._clone} never answered on TCP port 22, though its boot has ended",
                seen="its console: reached target multi-user",
                change="is sshd enabled in the image? is the computer that runs `pulumi up` in "
                "golden-image:validation.allowedCidr, with a route to the subnet?",
            )

    def _console(self) -> str:
        """What the machine printed in its present boot, as far as that is known.

        The first look finds what was printed up to now, and perhaps before this boot. Only what comes after it is
        certainly of this boot, until the machine has had a minute.
        """
        text = self._clones.console(self._clone, lines=None)
        if self._earlier is None:
            self._earlier = text if self._clone.id in self._clones.started else ""
        if not text.startswith(self._earlier):
            self._earlier = ""  # EC2 keeps the last 64 KiB, or has begun anew
            return text if self._deadline.elapsed() - self._begun > SILENT_SECONDS else ""
        return text[len(self._earlier) :]
