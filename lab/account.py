"""The account as a newcomer finds it: one default subnet, one public source image. Kept over restarts."""

from __future__ import annotations

import copyreg
import io
import pickle
from contextlib import contextmanager
from types import LambdaType
from typing import TYPE_CHECKING, Any

import dill
from moto.autoscaling.models import autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.ssm.models import ParameterDict, ssm_backends
from moto.sts.models import sts_backends

from lab import base_image, kept, redhat_like
from lab import settings as lab_settings
from lab.access import GROUP
from lab.dataplane import ec2
from lab.disks import ROOT_DEVICE
from lab.layers import BASE
from lab.manners import pending

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.dataplane import DataPlane
    from lab.layers import LayerStore
    from lab.settings import LabSettings

SERVICES: dict[str, Any] = {
    "ec2": ec2_backends,
    "ssm": ssm_backends,
    "sts": sts_backends,
    "iam": iam_backends,
    "autoscaling": autoscaling_backends,
    "elbv2": elbv2_backends,
    "cloudwatch": cloudwatch_backends,
}

CROWD = "crowd"
"""Name and description of the images that `crowd` makes."""

SOURCE_OWNER = "136693071363"
"""Debian's own account, which publishes the official images (Debian wiki, Cloud/AmazonEC2Image)."""


def prepare(settings: LabSettings, store: LayerStore) -> None:
    """Give a new account the lab's subnet and the source image."""
    backend = ec2()
    for subnets in list(backend.subnets.values()):
        for subnet_id in list(subnets):
            backend.delete_subnet(subnet_id)  # not on the bridge
    zone = f"{lab_settings.REGION}a"
    subnet = backend.create_subnet(backend.default_vpc.id, str(settings.subnet), availability_zone=zone)
    # A known id, so that stack config can name it.
    del backend.subnets[zone][subnet.id]
    subnet.id = lab_settings.SUBNET_ID
    backend.subnets[zone][subnet.id] = subnet
    # As on AWS, where the first addresses are the router's and the name server's.
    subnet._reserved_ips.update(settings.subnet.network_address + n for n in (1, 2, 3))
    _way_out(backend)
    image_id = f"ami-{base_image.key():0<17}"
    distribution, codename = base_image.host_release()
    publish(image_id, f"{distribution}-{codename}-amd64-lab", "The lab's base image", owner=SOURCE_OWNER)
    store.add(image_id, [BASE])


def publish(image_id: str, name: str, description: str, *, owner: str) -> None:
    """Register a public image of another account, in place of one of the same name."""
    backend = ec2()
    for earlier in [image.id for image in backend.amis.values() if image.name == name]:
        del backend.amis[earlier]
    backend.amis[image_id] = Ami(
        backend,
        image_id,
        name=name,
        description=description,
        owner_id=owner,
        public=True,
        virtualization_type="hvm",
        architecture="x86_64",
        root_device_type="ebs",
        root_device_name=ROOT_DEVICE,
        hypervisor="xen",
        creation_date=utcnow(),
        region_name=f"{lab_settings.REGION}a",
    )


def offer_redhat(machines: DataPlane, *, registration_seconds: int) -> str:
    """Publish the source image like Red Hat's; returns its id.

    Args:
        machines: Those of the lab, which keep its layers.
        registration_seconds: How long after its boot a machine registers.
    """
    image_id = redhat_like.image_id(registration_seconds)
    with machines.images() as store:
        asked = store.copy(image_id, redhat_like.ensure()) / redhat_like.ASKED
        asked.parent.mkdir(exist_ok=True)
        asked.write_text(f"{registration_seconds}\n")
        publish(image_id, redhat_like.image_name(), redhat_like.DESCRIPTION, owner=redhat_like.OWNER)
    machines.reconcile()
    return image_id


def crowd(count: int, tags: dict[str, str]) -> None:
    """Give the account more images, from which nothing boots, like an account of some years; 0 removes them.

    Args:
        count: How many.
        tags: Tags of each.
    """
    backend = ec2()
    for image in [image for image in backend.amis.values() if image.description == CROWD]:
        del backend.amis[image.id], backend.snapshots[image.ebs_snapshot.id]
    for number in range(count):
        image = backend.register_image(f"{CROWD}-{number}", CROWD)
        image.add_tags(tags)


def _way_out(backend: Any) -> None:
    """An internet gateway in the default VPC, as AWS makes it; the lab's machines do get out."""
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, backend.default_vpc.id)
    [table] = backend.describe_route_tables(filters={"vpc-id": [backend.default_vpc.id]})
    backend.create_route(table.id, "0.0.0.0/0", gateway_id=gateway.id)


def tags_of(resource_id: str) -> dict[str, str]:
    """The tags of an EC2 resource, by its id, or of an Auto Scaling group, by the end of its ARN."""
    if resource_id.startswith(GROUP):
        groups = autoscaling_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION].autoscaling_groups
        group = groups.get(resource_id.removeprefix(GROUP))
        return {tag["Key"]: tag["Value"] for tag in group.tags} if group else {}
    return {tag["key"]: tag["value"] for tag in ec2().describe_tags({"resource-id": [resource_id]})}


def _reduce_parameters(found: ParameterDict) -> tuple[Any, ...]:
    """How SSM's parameters are written down: as a defaultdict they would name the wrong constructor arguments."""
    return ParameterDict, (found.account_id, found.region_name), vars(found), None, iter(found.items())


copyreg.pickle(ParameterDict, _reduce_parameters)


class _Pickler(pickle.Pickler):
    """Python's own, fifteen times as fast as dill's; only the lambdas that some services keep are dill's to write."""

    def reducer_override(self, found: Any) -> Any:
        """How an object is written down."""
        if isinstance(found, LambdaType) and found.__name__ == "<lambda>":
            return dill.loads, (dill.dumps(found),)
        return NotImplemented


def dump() -> bytes:
    """The state of all services."""
    found = io.BytesIO()
    _Pickler(found).dump(_all())
    return found.getvalue()


def _all() -> dict[str, Any]:
    return {
        name: {(account, region): backend for account, region, backend in backends.iter_backends()}
        for name, backends in SERVICES.items()
    }


def restore(state: bytes) -> Any:
    """The backends that `dump` wrote down, by service, then by account and region."""
    return pickle.loads(state)  # noqa: S301 - our own, root's alone


def save(path: Path) -> None:
    """Write the state of all services, in one piece or not at all."""
    kept.write(path, dump())


def load(path: Path) -> None:
    """Take up the state that `save` wrote.

    Raises:
        LabError: It is cut or broken.
    """
    _take(kept.read(path, restore))
    pending.settle()


def _take(state: Any) -> None:
    for name, backends in state.items():
        for (account, region), backend in backends.items():
            SERVICES[name][account][region] = backend


@contextmanager
def as_it_was(state: Any) -> Iterator[None]:
    """Let the services be what `restore` gave, for a moment; the control plane's lock is held."""
    now = _all()
    _take(state)
    try:
        yield
    finally:
        _take(now)
