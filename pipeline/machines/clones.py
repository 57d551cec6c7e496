"""The validation machines as EC2 knows them: powered, addressed, and what they printed."""

from __future__ import annotations

import base64
import ipaddress
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline import visible
from pipeline.errors import PipelineError
from pipeline.log import log
from pipeline.machines.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from pipeline.aws.machines import Machines


WAITER_DELAY_SECONDS = 1
LAG_SECONDS = 10
"""How long a read of EC2 may lag behind a write: a machine just launched is not found, or has no address yet
("Eventual consistency in the Amazon EC2 API", EC2's developer guide)."""

CONSOLE_LINES = 15


def say(text: str) -> None:
    """One line of the step's own log."""
    # In one piece: several machines tell at once.
    log("validate", text)


@dataclass(frozen=True)
class Clone:
    """A running validation machine.

    Attributes:
        id: Such as ``i-0123456789abcdef0``.
        address: The IPv4 address that it is checked at.
    """

    id: str
    address: str

    def __str__(self) -> str:
        """Id and address."""
        return f"{self.id} ({self.address})"


class Clones:
    """The machines of one image's validation.

    Args:
        machines: The account's machines.
        ids: Their instance ids.
        address: ``public`` or ``private``: which address they are checked at.
    """

    def __init__(self, machines: Machines, ids: Sequence[str], *, address: str) -> None:
        self._machines = machines
        self._ids = list(ids)
        self._address = address
        self.started: frozenset[str] = frozenset()
        """Ids of those that were stopped, and booted once more for this validation."""

    @contextmanager
    def powered(self, deadline: Deadline) -> Generator[list[Clone]]:
        """The machines, running. In the end they are asked to stop, unless something failed.

        A machine fresh from `pulumi up` runs already; a stopped one is here when only the plan of its
        checks changed. Nobody waits until they have stopped: that takes up to a minute, and nothing depends on it.

        Raises:
            PipelineError: One is gone, cannot be started, or has no address that may be used.
        """
        states = {key: found["State"]["Name"] for key, found in self._once_there(deadline).items()}
        stopped = [key for key, name in states.items() if name in ("stopping", "stopped")]
        # A read may lag behind: the stack's machines run before this step does.
        starting = [key for key, name in states.items() if name == "pending"]
        if starting:
            self._wait("instance_running", starting, deadline)
        if stopped:
            self.started = frozenset(stopped)
            say(f"starting {', '.join(stopped)}")
            self._start(stopped, deadline)
        yield self._addressed(deadline)
        self._machines.stop(self._ids)

    def state(self, clone: Clone) -> str:
        """EC2's word for the machine's state, such as ``running``."""
        found: str = self._alive(self._machines.described(self._ids))[clone.id]["State"]["Name"]
        return found

    def console(self, clone: Clone, lines: int | None = CONSOLE_LINES) -> str:
        """The last lines (or all) that the machine printed, without colours; EC2 may be minutes behind."""
        output = self._machines.console(clone.id)
        # botocore decodes the answer; a client without its handler would hand on base64.
        text = (
            output if "\n" in output or " " in output else base64.b64decode(output).decode(errors="replace")
        )
        plain = visible.uncoloured(text)
        return "\n".join(plain if lines is None else plain[-lines:])

    def _once_there(self, deadline: Deadline) -> dict[str, Mapping[str, Any]]:
        """The machines, once EC2 finds all of them: a read may lag behind their launch."""
        lag = Deadline(min(LAG_SECONDS, deadline.remaining()))
        found = self._machines.described(self._ids)
        while found is None and not lag.passed():
            time.sleep(WAITER_DELAY_SECONDS)
            found = self._machines.described(self._ids)
        return self._alive(found)

    def _alive(self, found: dict[str, Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
        """The machines as they were found.

        Raises:
            PipelineError: One was not found, or has been terminated.
        """
        if found is None:
            raise PipelineError(
                "the validation machines cannot be looked up",
                seen=f"EC2 does not find all of {', '.join(self._ids)}",
                change="if one is gone, run `pulumi refresh`: the next update then boots another",
            )
        for key, instance in found.items():
            if instance["State"]["Name"] in ("terminated", "shutting-down"):
                reason = instance.get("StateReason", {}).get("Message", "no reason given")
                raise PipelineError(
                    f"validation machine {key} has been terminated",
                    seen=reason,
                    change="run `pulumi refresh`: the next update then boots another",
                )
        return found

    def _start(self, ids: list[str], deadline: Deadline) -> None:
        # One that is stopping can be started only when it has stopped.
        self._wait("instance_stopped", ids, deadline)
        self._machines.start(ids)
        self._wait("instance_running", ids, deadline)

    def _wait(self, state: str, ids: list[str], deadline: Deadline) -> None:
        problem = self._machines.wait(state, ids, seconds=deadline.remaining(), every=WAITER_DELAY_SECONDS)
        if problem is not None:
            raise PipelineError(
                f"validation machines {', '.join(ids)} did not start in time",
                seen=problem,
                change="their state in the EC2 console says why; then `pulumi up` again",
            )

    def _addressed(self, deadline: Deadline) -> list[Clone]:
        field = "PublicIpAddress" if self._address == "public" else "PrivateIpAddress"
        lag = Deadline(min(LAG_SECONDS, deadline.remaining()))
        described = self._once_there(deadline)
        while not all(found.get(field) for found in described.values()) and not lag.passed():
            time.sleep(WAITER_DELAY_SECONDS)
            described = self._once_there(deadline)
        subnets = self._machines.ranges({found["SubnetId"] for found in described.values()})
        clones = []
        for key in self._ids:
            found = described[key]
            text = found.get(field)
            if not text:
                raise PipelineError(
                    f"validation machine {key} has no {self._address} address",
                    seen=f"subnet {found['SubnetId']}",
                    allowed="a subnet that gives machines a public address, or golden-image:validation.address: "
                    "private with a way to it (VPN, or a runner in the VPC)",
                    change="golden-image:validation.subnetId or .address in the stack file",
                )
            subnet = subnets[found["SubnetId"]]
            if self._address == "private" and ipaddress.IPv4Address(text) not in subnet:
                raise PipelineError(
                    f"validation machine {key} claims an address that is not its subnet's; not connecting",
                    seen=text,
                    allowed=f"an address of {found['SubnetId']}, {subnet}",
                )
            clones.append(Clone(key, text))
        return clones
