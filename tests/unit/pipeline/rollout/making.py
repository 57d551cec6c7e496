"""Groups, refreshes and what a preview has read of them, as the tests of the roll-out want them."""

from datetime import timedelta
from typing import Any

from pipeline.rollout.outlook import Outlook
from pipeline.scaling import Group, Member, Refresh, Version
from pipeline.settings.group import GroupKeys
from tests.unit.pipeline.making import NOON

TEMPLATE = "lt-0123456789abcdef0"
ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef"
SUBNET = "subnet-0123456789abcdef0"


def version(number: int | str, template: str = TEMPLATE) -> Version:
    return Version(template=template, number=str(number))


def machine(number: int, of: Version | None, **changes: Any) -> Member:
    given = {"id": f"i-{number}", "version": of, "lifecycle": "InService", "health": "Healthy", **changes}
    return Member(**given)


def group(at: Version | None, *machines: Version, **changes: Any) -> Group:
    """Group web-prod of three machines, which launches from a version."""
    members = [machine(number, one) for number, one in enumerate(machines or [at] * 3)]
    given = {"least": 2, "most": 6, "desired": 3, "members": members, "target_groups": (ARN,), **changes}
    return Group(name="web-prod", version=at, **given)


def refresh(
    status: str, to: Version | None, *, minute: int = 1, minutes: int | None = None, **more: Any
) -> Refresh:
    """A refresh that started some minutes after noon, and has ended after some if it has."""
    started = NOON + timedelta(minutes=minute)
    given = {"id": "r-1", "reason": "", "percent": 33, "left": 2, **more}
    ended = None if minutes is None else started + timedelta(minutes=minutes)
    return Refresh(status=status, version=to, started=started, ended=ended, **given)


def keys(**changes: Any) -> GroupKeys:
    given = {"minSize": 2, "maxSize": 6, "subnetIds": [SUBNET], "targetGroupArns": [ARN], **changes}
    return GroupKeys.model_validate(given)


def outlook(
    found: Group | None, *refreshes: Refresh, said: GroupKeys | None = None, **changes: Any
) -> Outlook:
    """Of stack prod, whose pointer was written at noon."""
    given = {"templates": [TEMPLATE], "since": NOON, **changes}
    return Outlook(
        stack="prod", stack_file="Pulumi.prod.yaml", role="web", channel="prod", keys=said or keys(), group=found,
        refreshes=refreshes, **given,
    )  # fmt: skip
