"""The console is the last boot's for a while."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from lab.dataplane import ec2
from lab.manners.base import Manner

if TYPE_CHECKING:
    from lab.manners import Choice
    from lab.manners.base import Answer, Call, Plane

SECONDS = 15.0
"""How long after a start: a test's measure of what takes EC2 minutes."""

OFF = frozenset({"", "stopped"})
ON = frozenset({"pending", "running"})
OUTPUT = re.compile(rb"<output>.*?</output>|<output\s*/>", re.DOTALL)
TIMESTAMP = re.compile(rb"<timestamp>.*?</timestamp>")


class Console(NamedTuple):
    """What a machine had printed, when that was, and until when it is served."""

    text: str
    taken: str
    until: float


class OldConsole(Manner):
    """GetConsoleOutput serves what was there before the last start, unless Latest; at a first boot nothing.

    "By default, the console output returns buffered information that was posted shortly after an instance transition
    state (start, stop, reboot, or terminate). This information is available for at least one hour after the most recent
    post." Latest: "When enabled, retrieves the latest console output for the instance." Timestamp: "The time at which
    the output was last updated." (API reference, GetConsoleOutput)
    """

    name: ClassVar[str] = "old-console"

    def __init__(self, plane: Plane, choice: Choice) -> None:
        super().__init__(plane, choice)
        self._states: dict[str, str] = {}
        self._kept: dict[str, Console] = {}

    def before(self, call: Call) -> None:
        """See which machines are off."""
        del call
        self._states = {instance.id: instance.state for instance in ec2().all_instances()}

    def after(self, call: Call, answer: Answer) -> Answer:
        """Keep the console of those that the call starts."""
        for instance in ec2().all_instances():
            started = instance.state in ON and self._states.get(instance.id, "") in OFF
            if started or (call.action == "RebootInstances" and instance.id in call.arguments.values()):
                taken = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
                text = self.plane.machines.console(instance.id)
                self._kept[instance.id] = Console(text, taken, time.monotonic() + SECONDS)
        return answer

    def instead(self, call: Call) -> Answer | None:
        """The old text in the place of the new one."""
        if call.action != "GetConsoleOutput" or str(call.arguments.get("Latest")).lower() == "true":
            return None
        kept = self._kept.get(str(call.arguments.get("InstanceId")))
        if kept is None or kept.until < time.monotonic():
            return None
        answer, body = self.plane.ask(call)
        text = base64.b64encode(kept.text.encode())
        whole = OUTPUT.sub(b"<output>" + text + b"</output>", b"".join(body))
        return answer, [TIMESTAMP.sub(f"<timestamp>{kept.taken}</timestamp>".encode(), whole)]
