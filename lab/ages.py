"""What AWS has written down becomes older when a test moves the time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.autoscaling.models import autoscaling_backends
from moto.ssm.models import ssm_backends

from lab import settings as lab_settings
from lab.dataplane import ec2

if TYPE_CHECKING:
    from collections.abc import Iterator


def add(seconds: float) -> None:
    """Let moto's times be so much earlier; the control plane's lock is held.

    The host's clock cannot be moved, and a program compares AWS's times with it and with each other: an hour has gone
    by if all that was there is an hour older. Times in the values of tags and parameters are the program's own.
    """
    for owner, attribute in _times():
        setattr(owner, attribute, getattr(owner, attribute) - timedelta(seconds=seconds))


def _times() -> Iterator[tuple[Any, str]]:
    """Each object with a time, and the attribute that has it."""
    for versions in ssm_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION]._parameters.values():
        yield from ((one, "last_modified_date") for one in versions)
    backend: Any = ec2()
    yield from ((one, "creation_date") for one in backend.amis.values())
    yield from ((one, "start_time") for one in backend.snapshots.values())
    yield from ((one, "launch_time") for one in backend.all_instances())
    for template in backend.launch_templates.values():
        yield from ((one, "create_time") for one in (template, *template.versions))
    groups = autoscaling_backends[lab_settings.ACCOUNT_ID][lab_settings.REGION].autoscaling_groups
    yield from ((one, "created_time") for one in groups.values())
