"""The life of a machine image: bake → validate → promote → launch template.

    settings ─▶ ImageBuild ─▶ ImageValidation ─▶ ImagePromotion ─▶ Fleet
                └── a stack that bakes ──────┘   └── every stack ───────┘

A stack that does not bake takes an image that exists: the pinned one, or what another channel holds.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pulumi
from pulumi.runtime.config import CONFIG

from components import baking, outputs
from components.fleet import Fleet
from components.fleet_group import FleetGroup
from components.image_promotion import ImagePromotion
from pipeline import visible
from pipeline.aws.account import Account
from pipeline.baking import leftovers, sourcescan
from pipeline.errors import PipelineError
from pipeline.net import unexpected
from pipeline.promote import preview_lines
from pipeline.promote.pointer import look
from pipeline.promote.standing import Standing
from pipeline.rollout import choosing, outlook, refusals
from pipeline.rollout import preview_lines as machine_lines
from pipeline.settings import load

if TYPE_CHECKING:
    from types import FrameType

    from pipeline.rollout.outlook import Outlook

SHOWN = 32
"""The exit status by which Pulumi's language host knows that a program has shown its error itself
(pulumi-language-python-exec: PYTHON_PROCESS_EXITED_AFTER_SHOWING_USER_ACTIONABLE_MESSAGE_CODE)."""


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """End this program without a word when the engine interrupts it: the engine has shown which resource failed.

    By `os._exit`, and for the signal itself: KeyboardInterrupt may also come while Python is already at its end, and
    the SDK's unfinished coroutine ends without its loop; Python prints a traceback of either.
    """
    os._exit(SHOWN)


def leave(message: str) -> NoReturn:
    """End this program with one error. The engine has it when `pulumi.log.error` returns.

    By `os._exit`: the SDK's calls that wait for their turn must not be made for a program that was refused (the last
    of them would set the stack's outputs), and at an ordinary exit Python warns of each.
    """
    pulumi.log.error(message)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(SHOWN)


def outlook_of(stack: load.Settings, account: Account, standing: Standing) -> Outlook | None:
    """What AWS has of a stack's group; None for a stack without one.

    Raises:
        PipelineError: It may not be updated.
    """
    since = standing.latest.when if standing.latest else None
    found = look(
        lambda: outlook.read(stack, account, since),
        lambda seen: seen is None or refusals.of_group(seen) is None,
    )
    refusal = refusals.of_group(found) if found is not None else None
    if refusal is not None:
        raise refusal
    return found


def foretell(machines: Outlook, version: object) -> None:
    """Say in a preview what a roll-out would do, once the engine says whether the launch template gets a new version.

    Args:
        machines: The group.
        version: The number of the template's version; a number only if the update leaves it as it is.
    """
    number = int(version) if isinstance(version, int | float) else None
    refusal = refusals.of_alarms(machines, number)
    if refusal is not None:
        leave(str(refusal))
    for line in machine_lines.lines(machines, number):
        (pulumi.log.warn if line.warning else pulumi.log.info)(visible.lines(line.text))


def program() -> None:
    """Declare the stack."""
    # pulumi.Config answers for one key at a time; a misspelt key shows only in the whole bag.
    stack = load.parse(CONFIG.get(), stack=pulumi.get_stack())
    account = Account(region=stack.region, profile=stack.profile)

    def stands() -> Standing:
        record = account.channels.history(stack.role, stack.channel)
        return Standing(stack=stack.stack, role=stack.role, channel=stack.channel, record=record)

    image_id: pulumi.Input[str]
    if stack.bakes:
        sourcescan.refuse_in_config(Path.cwd())
        baked = baking.declare(stack, account)
        standing = stands()
        for line in [*baking.notices(stack), *preview_lines.of_bake(standing)]:
            pulumi.log.warn(visible.lines(line))
        # Only an update makes a builder, so only an update reports those that other bakes have left.
        builders = [] if pulumi.runtime.is_dry_run() else account.machines.builders()
        for line in leftovers.notices(builders, datetime.now(UTC)):
            pulumi.log.warn(visible.lines(line))
        back = choosing.baked(stack, account, baked.build.key, stands)
        image_id = baked.validation.image_id if back is None else back.to
        outputs.of_baked(baked)
    else:
        now = datetime.now(UTC)
        chosen = choosing.existing(stack, account, stands, now)
        standing, back, image_id = chosen.standing, chosen.back, chosen.choice.image.id
        for line in preview_lines.about(chosen.choice, stack.request, standing, account, now):
            pulumi.log.info(visible.lines(line))
        outputs.of_choice(chosen.choice)
    if back is not None:
        pulumi.log.warn(visible.lines(back.warning(stack.channel)))
    rejected = None if back is None else back.failed.id

    machines = outlook_of(stack, account, standing)
    promotion = ImagePromotion(
        "promotion",
        role=stack.role,
        channel=stack.channel,
        source=stack.source,
        image_id=image_id,
        standing=standing,
        word=(back and back.word) or secrets.token_hex(4),
        region=stack.region,
        environment=stack.environment,
        rejected=rejected,
    )
    fleet = Fleet(
        "fleet",
        role=stack.role,
        channel=stack.channel,
        image_id=promotion.image_id,
        instance_type=stack.fleet_type,
        security_group_ids=stack.fleet.security_group_ids,
        instance_profile=stack.fleet.instance_profile,
        user_data=stack.fleet.user_data,
        after=promotion.settled,
    )
    # An update that finishes a return brings no other image to the machines.
    if machines is not None and back is None and pulumi.runtime.is_dry_run():
        fleet.latest_version.apply(partial(foretell, machines), run_with_unknowns=True)
    if stack.fleet.group is not None:
        group = FleetGroup(
            "machines",
            role=stack.role,
            channel=stack.channel,
            source=stack.source,
            stack=stack.stack,
            keys=stack.fleet.group,
            image_id=promotion.image_id,
            label=promotion.label,
            when=promotion.when,
            launch_template_id=fleet.launch_template_id,
            launch_template_version=fleet.latest_version,
            rejected=rejected,
            region=stack.region,
            environment=stack.environment,
        )
        outputs.of_group(group)

    outputs.of_stack(stack, promotion, fleet)


signal.signal(signal.SIGINT, interrupted)
try:
    program()
except PipelineError as error:
    # One error in the preview, without a traceback; RunError would be followed by a second one, of the host's.
    leave(str(error))
except Exception as error:  # noqa: BLE001 - it is kept and shown
    leave(unexpected(error))
