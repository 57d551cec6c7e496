"""Parameters that hold an image id are written after the answer."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from moto.ssm.models import ssm_backends

from lab import settings as lab_settings
from lab.dataplane import ec2
from lab.manners.base import Manner

if TYPE_CHECKING:
    from lab.manners import Choice
    from lab.manners.base import Answer, Call, Plane

log = logging.getLogger("lab")

SECONDS = (1.0, 4.0)
"""How long AWS takes to look at the image; it publishes no figure, and providers wait for up to two minutes."""

LEAST_SECONDS = 0.05


class LateImageParameters(Manner):
    """PutParameter of data type aws:ec2:image is answered before it is written, at create and at update.

    "The aws:ec2:image value is validated asynchronously, and the PutParameter call returns before the validation
    is complete. If you submit an invalid AMI value, the PutParameter operation will return success, but the
    asynchronous validation will fail and the parameter will not be created or updated." (SSM API reference,
    PutParameter, DataType). The caller needs ec2:DescribeImages as well (Systems Manager user guide, "Using native
    parameter support in Parameter Store for Amazon Machine Image IDs"). A provider that reads once after an
    update sees the old value: hashicorp/terraform-provider-aws issue 14513.
    """

    name: ClassVar[str] = "late-image-parameters"

    def __init__(self, plane: Plane, choice: Choice) -> None:
        super().__init__(plane, choice)
        self._writing: dict[str, list[float]] = {}
        self._due: list[float] = []
        """Of all parameters, until they have been written."""
        self._written = threading.Condition(plane.lock)

    def lag(self) -> float:
        """Until the last of them is written; more than nothing while one is being written."""
        with self.plane.lock:
            due = list(self._due)
        return max(max(due) - time.monotonic(), LEAST_SECONDS) if due else 0.0

    def settle(self) -> None:
        """Wait for what is being written: a test that moves the time moves it past that."""
        with self._written:
            self._written.wait_for(lambda: not self._due)

    def instead(self, call: Call) -> Answer | None:
        """Refuse at once what SSM refuses at once; write all else later."""
        if call.action != "PutParameter" or call.arguments.get("DataType") != "aws:ec2:image":
            return None
        name = str(call.arguments.get("Name"))
        with self.plane.lock:
            answer = self._tried(call.again(), name)
            if not answer[0][0].startswith("200"):
                return answer
            writing = self._writing.setdefault(name, [])
            # Two writes of one parameter keep their order.
            due = max([time.monotonic() + self.chance(name).uniform(*SECONDS), *writing])
            body = _with_version(answer[1], len(writing))
            writing.append(due)
            self._due.append(due)
        self.plane.later.at(due, lambda: self._end(call.again(), name, due))
        return answer[0], body

    def _end(self, call: Call, name: str, due: float) -> None:
        try:
            self._write(call, name)
        finally:
            with self._written:
                self._due.remove(due)
                self._written.notify_all()

    def _tried(self, call: Call, name: str) -> Answer:
        """What moto says of it, with nothing changed."""
        backend: Any = ssm_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION]
        versions = list(backend._parameters.get(name, []))
        tags = dict(backend._resource_tags["Parameter"].get(name, {}))
        answer = self.plane.ask(call)
        if versions:
            backend._parameters[name] = versions
        else:
            backend._parameters.pop(name, None)
        backend._resource_tags["Parameter"][name] = tags
        return answer

    def _write(self, call: Call, name: str) -> None:
        with self.plane.lock:
            self._writing[name].pop(0)
            image = ec2().amis.get(str(call.arguments.get("Value")))
        if image is None or not self.plane.allowed(call.caller, "DescribeImages"):
            log.info("PutParameter %s: thrown away, no such image %s", name, call.arguments.get("Value"))
            return
        answer, _ = self.plane.carry_out(call)
        log.info("PutParameter %s: written, %s", name, answer[0])


def _with_version(body: list[bytes], ahead: int) -> list[bytes]:
    """The answer with the number that the version will have once those before it are written."""
    found = json.loads(b"".join(body))
    return [json.dumps({**found, "Version": found["Version"] + ahead}).encode()]
