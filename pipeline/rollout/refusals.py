"""Why a preview refuses a stack with a group. Pure: what was read goes in, an error or None comes out.

Source: docs/architecture.md, rule 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.rollout import words
from pipeline.rollout.decide import Next, decide, is_ours
from pipeline.scaling import Version, active
from pipeline.settings.contradictions import GROUP, REFRESH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.rollout.outlook import Outlook

FIRING = "ALARM"
"""CloudWatch's word for the state of an alarm whose threshold is met."""


def of_group(outlook: Outlook) -> PipelineError | None:
    """Why this stack may not be updated, or None if it may: the first reason, the stack file's before the account's."""
    return _of_places(outlook) or _of_hands(outlook) or _of_others(outlook)


def of_alarms(outlook: Outlook, number: int | None) -> PipelineError | None:
    """Why no roll-out may start now, or None. One that has started, or goes back, is not disturbed.

    An alarm in that state fails a refresh ("if the instance refresh fails or a CloudWatch alarm threshold is met", API
    reference, RefreshPreferences): a roll-out would end with its return, for nothing that the image has done.

    Args:
        outlook: The group.
        number: The version of the launch template that the update ends at; None for one that it makes first.
    """
    firing = [name for name in outlook.keys.refresh.alarms if outlook.alarms.get(name) == FIRING]
    if not firing or not _would_start(outlook, number):
        return None
    return _error(
        f"an alarm of the roll-out to {outlook.name} is in state {FIRING} already: the roll-out would fail at once",
        firing,
        "alarms in state OK or INSUFFICIENT_DATA before a roll-out starts",
        f"see what the alarm is about; then `pulumi up`. Or take it out of {REFRESH}.alarms in {outlook.stack_file}",
    )


def _would_start(outlook: Outlook, number: int | None) -> bool:
    group = outlook.group
    if group is None or group.version is None:
        return False
    if number is None:
        return True
    wanted = Version(template=group.version.template, number=str(number))
    if outlook.since is None:
        return group.version != wanted
    return decide(group, outlook.refreshes, wanted, outlook.since).next is Next.START


def _of_places(outlook: Outlook) -> PipelineError | None:
    alarms = [name for name in outlook.keys.refresh.alarms if name not in outlook.alarms]
    for key, what, missing in (
        (f"{GROUP}.subnetIds", "subnet", outlook.missing_subnets),
        (f"{GROUP}.targetGroupArns", "target group", outlook.missing_target_groups),
        (f"{REFRESH}.alarms", "CloudWatch alarm", alarms),
    ):
        if missing:
            return _error(
                f"{key} names a {what} that does not exist in this account and region",
                missing,
                f"each {what} exists",
                f"{key} in {outlook.stack_file}",
            )
    return None


def _of_hands(outlook: Outlook) -> PipelineError | None:
    """A group that launches something else than a numbered version of the stack's launch template."""
    if outlook.group is None:
        return None
    version = outlook.group.version
    if version is not None and version.is_of(outlook.templates):
        return None
    template = next(iter(outlook.templates), None)
    tags = f"Role={outlook.role}, ImageChannel={outlook.channel}"
    cure = (
        words.numbered_again(outlook.name, template)
        if template
        else f"give the stack's launch template its tags back ({tags})"
    )
    return words.changed_by_hand(
        outlook.group,
        allowed=f"a numbered version of the launch template of channel {outlook.channel}, which is "
        f"{template or 'not there'}",
        change=f"{cure}; or without {GROUP} in {outlook.stack_file}, if the group is not this stack's",
    )


def _of_others(outlook: Outlook) -> PipelineError | None:
    under_way = active(outlook.refreshes)
    if under_way is None or is_ours(under_way, outlook.templates):
        return None
    return words.foreign(
        outlook.name,
        outlook.stack,
        under_way,
        more=f". {GROUP} in {outlook.stack_file} is what lets this stack roll out",
    )


def _error(what: str, seen: Sequence[str], allowed: str, change: str) -> PipelineError:
    return PipelineError(what, seen=", ".join(seen), allowed=allowed, change=change)
