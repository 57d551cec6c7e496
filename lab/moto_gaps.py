"""What EC2 and SSM do and moto does not, as far as Packer and the program notice."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, InvalidInstanceIdError
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.models.tags import TagBackend
from moto.ec2.responses.general import General
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix
from moto.ssm.exceptions import ParameterNotFound
from moto.ssm.models import SimpleSystemManagerBackend, ssm_backends

from lab import disks, template_gaps

if TYPE_CHECKING:
    from collections.abc import Callable

NO_LATEST = "This instance type does not support retrieving the latest console logs."

BY_PARAMETER = "resolve:ssm:"
"""How a launch template names an image by a parameter of SSM."""


def fill(console: Callable[[str], str], is_forgotten: Callable[[str], bool] = lambda _: False) -> None:
    """Fill the gaps, for this process.

    Args:
        console: What the machine of an instance id printed.
        is_forgotten: Whether it ended so long ago that EC2 no longer finds it.
    """
    General.get_console_output = _console_output(console, is_forgotten)  # type: ignore[method-assign, assignment]
    disks.fill()
    template_gaps.fill()
    if InstanceBackend.stop_instances.__name__ != "only_from":
        InstanceBackend.stop_instances = _only_from(  # type: ignore[method-assign]
            InstanceBackend.stop_instances, {"running", "stopping", "stopped"}, "stopped"
        )
        InstanceBackend.start_instances = _only_from(  # type: ignore[method-assign]
            InstanceBackend.start_instances, {"pending", "running", "stopped"}, "started"
        )
    if TagBackend.describe_tags.__name__ != "of_one":
        TagBackend.describe_tags = _of_one(TagBackend.describe_tags)  # type: ignore[method-assign]
    LaunchTemplateVersion.image_id = property(_image_of)  # type: ignore[assignment, method-assign]
    for name in ("label_parameter_version", "unlabel_parameter_version"):
        change = getattr(SimpleSystemManagerBackend, name)
        if change.__name__ != "of_one_that_is_there":
            setattr(SimpleSystemManagerBackend, name, _of_one_that_is_there(change))


def _only_from(change: Callable[..., Any], states: set[str], word: str) -> Callable[..., Any]:
    """Moto starts and stops whatever there is, also what is terminated (error codes, IncorrectInstanceState)."""

    def only_from(self: Any, instance_ids: list[str]) -> Any:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.state not in states:
                message = f"The instance '{instance.id}' is not in a state from which it can be {word}."
                raise EC2ClientError("IncorrectInstanceState", message)
        return change(self, instance_ids)

    return only_from


def _of_one(describe: Callable[..., list[dict[str, str]]]) -> Callable[..., list[dict[str, str]]]:
    """For each resource that it lists, moto looks at every tag of the account; a resource's own are at hand."""

    def of_one(self: Any, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        match filters:
            case {"resource-id": [resource_id], **others} if not others and "*" not in resource_id:
                kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "")
                return [
                    {"resource_id": resource_id, "key": key, "value": value, "resource_type": kind}
                    for key, value in self.tags.get(resource_id, {}).items()
                ]
        return describe(self, filters)

    return of_one


def _image_of(version: LaunchTemplateVersion) -> str:
    """The image that a machine of a launch template gets: EC2 reads the parameter at each launch.

    "Use a Systems Manager parameter instead of an AMI ID" (EC2 user guide): ``resolve:ssm:NAME``, ``:VERSION`` or
    ``:LABEL`` behind it.
    """
    text: str = version.data.get("ImageId", "")
    if not text.startswith(BY_PARAMETER):
        return text
    ec2 = version.template.ec2_backend
    found = ssm_backends[ec2.account_id][ec2.region_name].get_parameters([text.removeprefix(BY_PARAMETER)])
    if not found:
        raise InvalidAMIIdError([text])
    return str(next(iter(found.values())).value)


def _of_one_that_is_there(change: Callable[..., Any]) -> Callable[..., Any]:
    """Moto's look for a parameter that is not there makes one without versions, and fails at every later list."""

    def of_one_that_is_there(self: Any, name: str, *arguments: Any, **named: Any) -> Any:
        if name not in self._parameters:
            raise ParameterNotFound(f"Parameter {name} not found.")
        return change(self, name, *arguments, **named)

    return of_one_that_is_there


def _is_nitro(instance_type: str) -> bool:
    """Whether EC2 has the latest console of such a machine (API reference, GetConsoleOutput, Latest)."""
    return bool(INSTANCE_TYPES[instance_type].get("Hypervisor") == "nitro")


def _console_output(
    console: Callable[[str], str], is_forgotten: Callable[[str], bool]
) -> Callable[[General], ActionResult]:
    """Moto answers GetConsoleOutput with a sample; EC2 with what the machine printed."""

    def get_console_output(self: General) -> ActionResult:
        instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
        if is_forgotten(instance.id):
            raise InvalidInstanceIdError([instance.id])
        if self._get_bool_param("Latest", if_none=False) and not _is_nitro(instance.instance_type):
            raise EC2ClientError("UnsupportedOperation", NO_LATEST)
        return ActionResult(
            {
                "InstanceId": instance.id,
                "Timestamp": utcnow(),
                "Output": base64.b64encode(console(instance.id).encode()).decode(),
            }
        )

    return get_console_output
