"""What EC2 does and moto does not, as far as Packer and the program notice."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.responses.general import General

from lab import disks

if TYPE_CHECKING:
    from collections.abc import Callable


def fill(console: Callable[[str], str]) -> None:
    """Fill the gaps, for this process.

    Args:
        console: What the machine of an instance id printed.
    """
    General.get_console_output = _console_output(console)  # type: ignore[method-assign, assignment]
    disks.fill()


def _console_output(console: Callable[[str], str]) -> Callable[[General], ActionResult]:
    """Moto answers GetConsoleOutput with a sample; EC2 with what the machine printed."""

    def get_console_output(self: General) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": base64.b64encode(console(instance.id).encode()).decode(),
            }
        )

    return get_console_output
