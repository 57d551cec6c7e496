"""Launch templates and versions that are not there: EC2 refuses, where moto finds nothing or another one."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any

from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidLaunchTemplateIdNotFound,
    InvalidLaunchTemplateVersionNotFound,
)
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend

if TYPE_CHECKING:
    from collections.abc import Callable

_ID = re.compile(r"lt-[0-9a-f]{17}")
_VERSION = re.compile(r"[1-9][0-9]*|\$(latest|default)", re.IGNORECASE)


def fill() -> None:
    """Fill the gaps, for this process; a second time does nothing."""
    if hasattr(LaunchTemplateBackend, "lab_filled"):
        return
    LaunchTemplateBackend.lab_filled = True  # type: ignore[attr-defined]
    for name in ("get_launch_template", "modify_launch_template", "delete_launch_template"):
        setattr(LaunchTemplateBackend, name, _of_a_known_one(getattr(LaunchTemplateBackend, name)))
    created = LaunchTemplateBackend.create_launch_template
    LaunchTemplateBackend.create_launch_template = _without_its_own_tags(created)  # type: ignore[method-assign]
    described = LaunchTemplateBackend.describe_launch_templates
    LaunchTemplateBackend.describe_launch_templates = _of_known_ones(described)  # type: ignore[method-assign]
    LaunchTemplate.get_version = _known_version(LaunchTemplate.get_version)  # type: ignore[method-assign]


def _without_its_own_tags(create: Callable[..., Any]) -> Callable[..., Any]:
    """Moto adds the tags of the template itself to what its first version launches.

    CreateLaunchTemplate has them beside the data; in the data are tags of what is launched (EC2 API reference).
    """

    @wraps(create)
    def without_its_own_tags(
        self: LaunchTemplateBackend, name: str, description: str, template_data: dict[str, Any], tag_spec: Any
    ) -> Any:
        specifications = template_data.get("TagSpecifications", [])
        kept = [one for one in specifications if one.get("ResourceType") != "launch-template"]
        data = {key: value for key, value in template_data.items() if key != "TagSpecifications"}
        if kept:
            data["TagSpecifications"] = kept
        return create(self, name, description, data, tag_spec)

    return without_its_own_tags


def _look_up(backend: LaunchTemplateBackend, template_id: str) -> None:
    """Refuse an id that no template has (EC2 API reference, error codes)."""
    if not _ID.fullmatch(template_id):
        raise EC2ClientError(
            "InvalidLaunchTemplateId.Malformed",
            f'Invalid launch template ID "{template_id}" (expecting "lt-...")',
        )
    if template_id not in backend.launch_templates:
        raise InvalidLaunchTemplateIdNotFound(template_id)


def _of_a_known_one(call: Callable[..., Any]) -> Callable[..., Any]:
    """Moto has the error of an unknown name for an unknown id."""

    @wraps(call)
    def of_a_known_one(self: LaunchTemplateBackend, *arguments: Any, **named: Any) -> Any:
        for one in (*arguments, *named.values()):
            if isinstance(one, str) and one.startswith("lt-"):
                _look_up(self, one)
        return call(self, *arguments, **named)

    return of_a_known_one


def _of_known_ones(call: Callable[..., Any]) -> Callable[..., Any]:
    """Moto leaves out the ids that it does not know."""

    @wraps(call)
    def of_known_ones(
        self: LaunchTemplateBackend,
        template_names: list[str] | None = None,
        template_ids: list[str] | None = None,
        filters: Any = None,
    ) -> Any:
        for one in template_ids or ():
            _look_up(self, one)
        return call(self, template_names, template_ids, filters)

    return of_known_ones


def _known_version(call: Callable[..., Any]) -> Callable[..., Any]:
    """Moto counts back from the newest one for a 0, and cannot read a word."""

    @wraps(call)
    def known_version(self: LaunchTemplate, num: Any) -> Any:
        if not _VERSION.fullmatch(str(num)):
            raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=str(num))
        return call(self, num)

    return known_version
