"""The stacks to check: their config files, and the policy of iam/ that each one's work needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.baking.source import defaults
from pipeline.baking.variables import template_variables, variables_of
from pipeline.errors import PipelineError
from pipeline.settings import role as roles
from pipeline.settings.role import TEMPLATE

if TYPE_CHECKING:
    from pipeline.settings.load import Settings

_MARK = "{stack}"

Purpose = Literal["update", "preview", "operate"]
"""The work: `pulumi up`; `pulumi preview` and the note; `revoke`, `restore`, `adopt` and `retire`."""

Policy = Literal["bake", "promote", "preview", "operate", "group"]
"""A file of iam/, without its ending."""


@dataclass(frozen=True)
class Stack:
    """One stack and the work that is planned with it.

    Attributes:
        settings: What its config file has.
        purpose: The work.
    """

    settings: Settings
    purpose: Purpose = "update"

    @property
    def name(self) -> str:
        """The stack's name."""
        return self.settings.stack

    @property
    def about(self) -> str:
        """Its name in findings."""
        return f"stack {self.name}"

    @property
    def policy(self) -> Policy:
        """The policy that allows the work."""
        if self.purpose == "update":
            return "bake" if self.settings.bakes else "promote"
        return self.purpose

    @property
    def has_group(self) -> bool:
        """Whether it has a group of machines."""
        return self.settings.fleet.group is not None

    @property
    def asks_of_groups(self) -> bool:
        """Whether the work asks AWS of groups: of its own, or whether that of the stage before runs an image."""
        return self.has_group or self.settings.soak is not None

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies that the work needs: `policy`, and one more for a group of machines."""
        return (self.policy, "group") if self.has_group and self.purpose == "update" else (self.policy,)

    def where(self, key: str) -> str:
        """Where to change a key."""
        return f"golden-image:{key} in {self.settings.stack_file}"

    @cached_property
    def variables(self) -> dict[str, Any]:
        """Each variable of the Packer template in this stack's bake: from the stack file, the role, or its default.

        Raises:
            PipelineError: The template or the role is missing or cannot be read, or does not accept a value.
        """
        template_variables(TEMPLATE)  # a folder without a template is not one without the role
        role = roles.read(TEMPLATE, self.settings.role, self.settings.stack_file)
        content, access = variables_of(self.settings, role)
        return {**defaults(TEMPLATE), **content, **access}

    def has_template(self) -> bool:
        """Whether `variables` can be read."""
        try:
            return bool(self.variables)
        except PipelineError:
            return False


def path_of(pattern: str, stack: str) -> Path:
    """The config file of a stack."""
    return Path(pattern.replace(_MARK, stack))


def names(pattern: str) -> list[str]:
    """The stacks that have a config file, by its name; none if the pattern does not name the stack."""
    if _MARK not in pattern:
        return []
    path = Path(pattern)
    name = re.compile(re.escape(path.name).replace(re.escape(_MARK), "(.+)"))
    found = (name.fullmatch(file.name) for file in path.parent.glob(path.name.replace(_MARK, "*")))
    return sorted(match[1] for match in found if match)
