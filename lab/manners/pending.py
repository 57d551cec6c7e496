"""Machines and images take their time, in phases."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, ClassVar

from lab.dataplane import ec2
from lab.manners.base import Manner
from lab.manners.pace import PACES

if TYPE_CHECKING:
    from collections.abc import Callable

    from moto.ec2.models.instances import Instance

    from lab.manners import Choice
    from lab.manners.base import Answer, Call, Plane
    from lab.manners.pace import Span

PHASES = {"running": ("pending", 0), "stopped": ("stopping", 64), "terminated": ("shutting-down", 32)}
"""What comes before a state."""

ENDS = {phase: (state, code) for (state, (phase, _)), code in zip(PHASES.items(), (16, 80, 48), strict=True)}
RUNNING = re.compile(rb"<code>16</code>\s*<name>running</name>|<name>running</name>\s*<code>16</code>")


class Pending(Manner):
    """Instances are pending, stopping and shutting-down for a while, new images and copies pending.

    "When you launch your instance, it enters the pending state ... When your instance is ready for you, it enters the
    running state" (EC2 user guide, "Amazon EC2 instance state changes"); image states pending and available (API
    reference, Image, imageState). An image in state pending starts nothing.
    """

    name: ClassVar[str] = "pending"

    def __init__(self, plane: Plane, choice: Choice) -> None:
        super().__init__(plane, choice)
        self._pace = PACES[choice.pace]
        self._states: dict[str, str] = {}
        self._images: frozenset[str] = frozenset()
        self._turns: dict[str, int] = {}

    def before(self, call: Call) -> None:
        """See what there is."""
        del call
        self._states = {instance.id: instance.state for instance in ec2().all_instances()}
        self._images = frozenset(ec2().amis)

    def after(self, call: Call, answer: Answer) -> Answer:
        """Put what the call has changed into its phase."""
        for instance in ec2().all_instances():
            self._enter(instance, self._states.get(instance.id, ""))
        for image_id in set(ec2().amis) - self._images:
            self._begin_image(ec2().amis[image_id])
        if call.action == "RunInstances":
            return answer[0], [RUNNING.sub(b"<code>0</code><name>pending</name>", b"".join(answer[1]))]
        return answer

    def _enter(self, instance: Instance, was: str) -> None:
        if instance.state not in PHASES or instance.state == was:
            return
        phase, code = PHASES[instance.state]
        _set(instance, phase, code)
        if was == phase:
            return  # asked for once more, on its way already
        self._turns[instance.id] = turn = self._turns.get(instance.id, 0) + 1
        span: Span = getattr(self._pace, phase.replace("-", "_"))
        self._in(self.chance(phase).uniform(*span), lambda: self._end(instance.id, phase, turn))

    def _end(self, instance_id: str, phase: str, turn: int) -> None:
        if self._turns.get(instance_id) != turn:
            return
        if phase == "stopping":
            self.plane.machines.halt(instance_id)
        elif phase == "shutting-down":
            # Before its address is free: no two machines have one.
            self.plane.machines.remove(instance_id)
        power = self.chance("power").uniform(*self._pace.power)
        with self.plane.lock:
            instance = ec2().get_instance(instance_id)
            if instance.state != phase:
                return
            _set(instance, *ENDS[phase])
            if phase == "pending" and power > 0:
                self.plane.machines.hold(instance_id)
                self._in(power, lambda: self._power(instance_id))
        self._follow()

    def _power(self, instance_id: str) -> None:
        self.plane.machines.release(instance_id)
        self._follow()

    def _begin_image(self, image: Any) -> None:
        if not (image.instance_id or image.copied_from):
            return  # registered by hand
        image.state, image.ebs_snapshot.status = "pending", "pending"
        kind = "copy" if image.copied_from else "image"
        span: Span = getattr(self._pace, kind)
        self._in(self.chance(kind).uniform(*span), lambda: self._end_image(image.id))

    def _end_image(self, image_id: str) -> None:
        with self.plane.lock:
            image: Any = ec2().amis.get(image_id)
            if image is None or image.state != "pending":
                return
            image.state, image.ebs_snapshot.status = "available", "completed"
        self.plane.save()

    def _follow(self) -> None:
        self.plane.machines.reconcile()
        self.plane.save()

    def _in(self, seconds: float, what: Callable[[], None]) -> None:
        self.plane.later.at(time.monotonic() + seconds, what)


def _set(instance: Instance, name: str, code: int) -> None:
    instance._state.name, instance._state.code = name, code


def settle() -> None:
    """End all phases at once: those that a lab was killed in."""
    for instance in ec2().all_instances():
        if instance.state in ENDS:
            _set(instance, *ENDS[instance.state])
    for image in ec2().amis.values():
        if image.state == "pending":
            image.state, image.ebs_snapshot.status = "available", "completed"
