"""What a preview reads for a stack with a group. Nothing is read for a stack without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.model import group_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pipeline.aws.account import Account
    from pipeline.scaling import Group, Refresh
    from pipeline.settings.group import GroupKeys
    from pipeline.settings.load import Settings


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """A group as its stack wants it, and as AWS has it.

    Attributes:
        stack: The stack's name.
        stack_file: Its config file.
        role: Its role.
        channel: The channel that it promotes into.
        keys: What its config says of the group.
        since: When the channel's pointer was written last, or None.
        group: The group, or None before its creation.
        refreshes: Its refreshes: an active one first, then the newest.
        templates: IDs of the channel's launch templates.
        missing_subnets: Those of the config that do not exist.
        missing_target_groups: Likewise.
        alarms: State of each alarm of the config that exists.
    """

    stack: str
    stack_file: str
    role: str
    channel: str
    keys: GroupKeys
    since: datetime | None = None
    group: Group | None = None
    refreshes: Sequence[Refresh] = ()
    templates: Sequence[str] = ()
    missing_subnets: Sequence[str] = ()
    missing_target_groups: Sequence[str] = ()
    alarms: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The group's name."""
        return group_name(self.role, self.channel)

    @property
    def desired(self) -> int:
        """How many machines the group is to have."""
        keys, group = self.keys, self.group
        if keys.desired_capacity is not None:
            return keys.desired_capacity
        return min(max(group.desired, keys.min_size), keys.max_size) if group else keys.min_size


def read(stack: Settings, account: Account, since: datetime | None) -> Outlook | None:
    """The outlook of a stack; None if it has no group.

    Args:
        stack: Its settings.
        account: The account.
        since: When the channel's pointer was written last, or None.

    Raises:
        PipelineError: AWS was not reached, or refused.
    """
    keys = stack.fleet.group
    if keys is None:
        return None
    group = account.groups.find(group_name(stack.role, stack.channel))
    return Outlook(
        stack=stack.stack,
        stack_file=stack.stack_file,
        role=stack.role,
        channel=stack.channel,
        keys=keys,
        since=since,
        group=group,
        refreshes=account.groups.refreshes(group.name) if group else (),
        templates=account.templates.of_channel(stack.role, stack.channel) if group else (),
        missing_subnets=account.machines.missing_subnets(keys.subnet_ids),
        missing_target_groups=account.groups.missing_target_groups(keys.target_group_arns),
        alarms=account.groups.alarms(keys.refresh.alarms),
    )
