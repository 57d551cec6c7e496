"""Makes the machines what the control plane says they are, inside the call that said it.

After each call that may change something, `DataPlane.reconcile` compares moto's instances and images with
the machines and layers there are. Working from the wanted state, rather than from the call, covers as well
what moto starts by itself (an Auto Scaling group's instances).
"""

from __future__ import annotations

import base64
import ipaddress
import json
import logging
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import Instance, StateReason

from lab import kept
from lab import settings as lab_settings
from lab.consoles import Consoles
from lab.errors import LabError
from lab.machine import Machine
from lab.seed import Seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from moto.core.types import Base64EncodedString
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.amis import Ami

    from lab.layers import LayerStore
    from lab.settings import LabSettings

log = logging.getLogger("lab")


def ec2() -> EC2Backend:
    """EC2 backend of moto, for the lab's account and region."""
    return ec2_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION]


class DataPlane:
    """The machines of one lab.

    Args:
        settings: The lab.
        store: Image layers; the base image is registered already.
        control: Makes a lock that keeps API calls out while moto's objects are changed from here.
        changed: Called after the data plane changed the control plane (a machine that shut itself down).
    """

    def __init__(
        self,
        settings: LabSettings,
        store: LayerStore,
        *,
        control: Callable[[], AbstractContextManager[object]],
        changed: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._control = control
        self._changed = changed
        self._lock = threading.RLock()
        self._machines: dict[str, Machine] = {}
        self._held: set[str] = set()
        self._index = settings.machines_dir / "machines.json"
        settings.machines_dir.mkdir(parents=True, exist_ok=True)
        self.consoles = Consoles(settings.machines_dir)
        if self._index.exists():
            for instance_id, layers in kept.read(self._index, json.loads).items():
                self._machines[instance_id] = self._make(instance_id, layers)

    def _make(self, instance_id: str, layers: list[str]) -> Machine:
        return Machine(
            instance_id,
            self._settings.machines_dir / instance_id,
            store=self._store,
            layers=layers,
            bridge=self._settings.bridge,
            cgroup=f"{self._settings.cgroup}/{instance_id}",
            on_shutdown=self._powered_off,
        )

    def _save(self) -> None:
        layers = {key: machine.layers for key, machine in self._machines.items()}
        kept.write(self._index, json.dumps(layers).encode())

    def reconcile(self) -> None:
        """Bring machines and layers to what the control plane says; returns when they are there."""
        with self._lock:
            with self._control():
                instances = {instance.id: instance for instance in ec2().all_instances()}
                images = dict(ec2().amis)
            self._freeze_new_images(images, instances)
            for instance in instances.values():
                try:
                    self._bring(instance)
                except LabError as error:
                    self._fail(instance, error)
            for image_id in [known for known in self._store.images if known not in images]:
                self._store.drop(image_id, self._layers_in_use())
            self._save()

    @contextmanager
    def images(self) -> Iterator[LayerStore]:
        """The layers and the control plane, while nothing else changes them."""
        with self._lock, self._control():
            yield self._store

    def _layers_in_use(self) -> Iterable[list[str]]:
        return [machine.layers for machine in self._machines.values()]

    def _bring(self, instance: Instance) -> None:
        machine = self._machines.get(instance.id)
        match instance.state:
            case "running" if instance.id in self._held:
                pass
            case "running" if machine is None:
                machine = self._create(instance)
                machine.start(self._seed(instance))
            case "running" if machine is not None and not machine.running:
                machine.start(self._seed(instance))
            case "stopped" if machine is not None and machine.running:
                machine.stop()
            case "terminated" if machine is not None:
                self._destroy(machine)
            case _:
                pass

    def _create(self, instance: Instance) -> Machine:
        layers = self._store.images.get(instance.image_id)
        if layers is None:
            raise LabError(
                f"image {instance.image_id} has no disk in the lab, so no machine can boot from it",
                hint="an image that was registered by hand can be tagged and promoted, but not started",
            )
        self._machines[instance.id] = machine = self._make(instance.id, layers)
        return machine

    def _seed(self, instance: Instance) -> Seed:
        address = ipaddress.IPv4Address(instance.private_ip)
        if address not in self._settings.subnet:
            raise LabError(
                f"{instance.id} was given {address}, which is outside the lab's subnet "
                f"{self._settings.subnet}: nothing may connect there",
                hint=f"launch it in the subnet {lab_settings.SUBNET_ID}",
            )
        with self._control():  # a read of the past has other objects in their place for a moment
            key = ec2().key_pairs.get(instance.key_name) if instance.key_name else None
        return Seed(
            instance_id=instance.id,
            address=address,
            network=self._settings.subnet,
            public_key=key.public_key if key else None,
            user_data=_decode(instance.user_data),
            memory_mib=INSTANCE_TYPES[instance.instance_type]["MemoryInfo"]["SizeInMiB"],
        )

    def _destroy(self, machine: Machine) -> None:
        console = self.console(machine.instance_id)
        machine.destroy()
        del self._machines[machine.instance_id]
        self.consoles.keep(machine.instance_id, console)

    def _fail(self, instance: Instance, error: LabError) -> None:
        """What EC2 does with an instance that it cannot start: it is terminated, and says why."""
        log.error("cannot start %s: %s", instance.id, error)
        with self._control():
            instance.terminate()
            instance.state_reason = StateReason(f"Server.InternalError: {error}", "Server.InternalError")
        machine = self._machines.get(instance.id)
        if machine is not None:
            self._destroy(machine)

    def _freeze_new_images(self, images: Mapping[str, Ami], instances: Mapping[str, Instance]) -> None:
        for image_id, image in images.items():
            if image_id in self._store.images:
                continue
            if image.copied_from in self._store.images:  # type: ignore[attr-defined]
                self._store.add(image_id, self._store.images[image.copied_from])  # type: ignore[attr-defined]
                continue
            machine = self._machines.get(image.instance_id or "")
            if machine is None:
                continue  # registered without a machine: metadata only
            was_running = machine.running
            if was_running:
                machine.stop()
            machine.freeze(image_id)
            if was_running:
                machine.start(self._seed(instances[machine.instance_id]))
        self._save()

    def _powered_off(self, instance_id: str) -> None:
        """A machine shut itself down: stopped or terminated, as its launch asked for."""
        with self._control():
            instance = ec2().get_instance(instance_id)
            if instance.state != "running":
                return
            if instance.instance_initiated_shutdown_behavior == "terminate":
                instance.terminate()
            else:
                instance.stop()
            instance.state_reason = StateReason(
                "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
                "Client.InstanceInitiatedShutdown",
            )
        self.reconcile()
        self._changed()

    def hold(self, instance_id: str) -> None:
        """Give a machine no power yet, though its instance is called running."""
        self._held.add(instance_id)

    def release(self, instance_id: str) -> None:
        """It may have power from the next `reconcile` on."""
        self._held.discard(instance_id)

    def halt(self, instance_id: str) -> None:
        """Shut a machine down, ahead of its instance's state."""
        with self._lock:
            machine = self._machines.get(instance_id)
            if machine is not None and machine.running:
                machine.stop()

    def remove(self, instance_id: str) -> None:
        """End a machine and remove its disk, ahead of its instance's state."""
        with self._lock:
            machine = self._machines.get(instance_id)
            if machine is not None:
                self._destroy(machine)

    def reboot(self, instance_ids: Iterable[str]) -> None:
        """Restart the operating systems of running machines."""
        for instance_id in instance_ids:
            machine = self._machines.get(instance_id)
            if machine is not None:
                machine.reboot()

    def console(self, instance_id: str) -> str:
        """What a machine printed, the last 64 KiB; empty if it never ran."""
        machine = self._machines.get(instance_id)
        if machine is not None:
            return machine.console()
        return self.consoles.read(instance_id)

    def running(self) -> list[str]:
        """Ids of the machines that have power."""
        return [key for key, machine in list(self._machines.items()) if machine.running]

    def power_off(self) -> None:
        """Stop every machine, all at once; the control plane still calls them running."""
        with self._lock:
            stops = [
                threading.Thread(target=machine.stop)
                for machine in self._machines.values()
                if machine.running
            ]
            for stop in stops:
                stop.start()
            for stop in stops:
                stop.join()
            self._save()

    def clear(self) -> None:
        """Remove the machines that no instance stands for (a lab that was killed between two steps)."""
        known = {instance.id for instance in ec2().all_instances() if instance.state != "terminated"}
        for machine in [m for m in self._machines.values() if m.instance_id not in known]:
            self._destroy(machine)
        for folder in self._settings.machines_dir.iterdir():
            if folder.is_dir() and folder.name not in self._machines:
                shutil.rmtree(folder)
        self._store.collect(self._layers_in_use())
        self._save()


def _decode(user_data: Base64EncodedString | str | None) -> bytes:
    """User data as the machine reads it; from a launch template moto hands on the plain base64."""
    if not user_data:
        return b""
    return base64.b64decode(user_data if isinstance(user_data, str) else user_data.as_bytes())
