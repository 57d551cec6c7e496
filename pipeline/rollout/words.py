"""What a roll-out that did not come to its good end has to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.rollout.consoles import MACHINES
from pipeline.scaling import SUCCESSFUL

if TYPE_CHECKING:
    from pipeline import plans
    from pipeline.rollout.watch import Watch
    from pipeline.scaling import Group, Refresh, Version


def reason(failed: Refresh, watch: Watch) -> str:
    """Why a refresh failed, in one line: AWS's reason, then the first machine's."""
    said = failed.rollback or failed.reason or failed.status
    machine = next(iter(watch.failed), None)
    return f"{said} {machine}: {watch.failed[machine]}" if machine else said


def returned(
    plan: plans.RollOut,
    watch: Watch,
    failed: Refresh,
    *,
    image_id: str,
    before: Version,
    machines: Refresh | None,
) -> PipelineError:
    """The roll-out failed, and what is as before."""
    back = not _left(machines)
    return PipelineError(
        f"the roll-out of {plan.image_id} to {plan.group} failed"
        + (f"; machines and channel {plan.channel} are back on {image_id}" if back else ""),
        seen=_seen(failed, watch, machines),
        allowed=f"all machines healthy on version {plan.version} of {plan.template}",
        change=f"{plan.image_id} is rejected in channel {plan.channel} and those after it; the group launches version "
        f"{before.number}\n"
        f"bring a better image; or, if the image was not the cause: `python -m pipeline restore {plan.image_id}`, then "
        "`pulumi up`",
    )


def template_returned(
    plan: plans.RollOut, watch: Watch, failed: Refresh, *, before: Version, machines: Refresh | None
) -> PipelineError:
    """The roll-out of another version with the same image failed."""
    return PipelineError(
        f"the roll-out of version {plan.version} of {plan.template} to {plan.group} failed; the image is the same as "
        f"before, and stays in channel {plan.channel}",
        seen=_seen(failed, watch, machines),
        allowed=f"all machines healthy on version {plan.version}",
        change=f"the group launches version {before.number}. Correct golden-image:fleet in the stack file (type, "
        "security groups, profile, user data); `pulumi up` tries again",
    )


def _seen(failed: Refresh, watch: Watch, machines: Refresh | None) -> str:
    said = f"instance refresh {failed.id}: {failed.status}. {reason(failed, watch)}"
    return f"{said}{_left(machines)}{_machines(watch)}"


def _left(machines: Refresh | None) -> str:
    """What is to be said of machines that a refresh of ours did not bring back."""
    if machines is None or machines.status == SUCCESSFUL:
        return ""
    return (
        f"\nthe machines did not come back: refresh {machines.id} ended {machines.status}: {machines.reason}"
    )


def finished(plan: plans.RollOut) -> PipelineError:
    """An update that has finished an earlier one's return."""
    return PipelineError(
        f"the roll-out of {plan.rejected} failed in an earlier update; this update has finished the return",
        seen=f"machines and channel {plan.channel} are on {plan.image_id}",
        allowed=f"an image that channel {plan.channel} has not rejected",
        change="bring a better image; or, if the image was not the cause: "
        f"`python -m pipeline restore {plan.rejected}`, then `pulumi up`",
    )


def foreign(group: str, stack: str, refresh: Refresh, *, more: str = "") -> PipelineError:
    """Somebody else's refresh is under way.

    Args:
        group: Name of the group.
        stack: The stack that would roll out.
        refresh: That refresh.
        more: What there is to say of the ways out.
    """
    return PipelineError(
        f"an instance refresh of {group} is under way that stack {stack} did not start; it is left alone",
        seen=f"{refresh.id}: {refresh.status}, {refresh.percent} %, brings {refresh.version or 'no version'}",
        allowed="no refresh, or one of this stack",
        change="wait for its end, or "
        f"`aws autoscaling cancel-instance-refresh --auto-scaling-group-name {group}`; then `pulumi up`{more}",
    )


def changed_by_hand(group: Group, *, allowed: str, change: str) -> PipelineError:
    """The group does not launch a numbered version of the stack's template.

    Args:
        group: The group.
        allowed: What it may launch.
        change: The ways out.
    """
    return PipelineError(
        f"the Auto Scaling group {group.name} was changed by hand: a roll-out could not return from there",
        seen=str(group.version or "no launch template"),
        allowed=allowed,
        change=change,
    )


def numbered_again(group: str, template: str) -> str:
    """How a group gets a numbered version of a template back."""
    return (
        f"aws autoscaling update-auto-scaling-group --auto-scaling-group-name {group} --launch-template "
        f"LaunchTemplateId={template},Version=N, with the number of the version that the machines run; then `pulumi up`"
    )


def never_healthy(plan: plans.RollOut, watch: Watch) -> PipelineError:
    """The group has the version, and its machines do not become healthy."""
    launch = watch.failed_launch()
    parts = [launch.text] if launch else []
    return PipelineError(
        f"the machines of {plan.group} did not become healthy within {plan.timeout_minutes} minutes",
        seen=("\n".join(parts) + _machines(watch)).strip() or "see the group's activity history",
        allowed=f"as many healthy machines as {plan.group} asks for",
        change="the group launches this version already, so nothing was returned. See the machines' consoles and "
        f"`python -m pipeline rollout {plan.stack}`; `pulumi up` waits again",
    )


def nothing_before(plan: plans.RollOut, watch: Watch, failed: Refresh) -> PipelineError:
    """A refresh failed whose group has no other version."""
    return PipelineError(
        f"the roll-out of {plan.image_id} to {plan.group} failed, and the group has no version to return to",
        seen=_seen(failed, watch, None),
        allowed=f"all machines healthy on version {plan.version} of {plan.template}",
        change="pin a good image (golden-image:image in the stack file), or promote a better one into the channel that "
        "this stack takes from; then `pulumi up`",
    )


def _machines(watch: Watch) -> str:
    """The first machines that failed, each with the end of its console, and how many more."""
    lines = []
    for machine, why in list(watch.failed.items())[:MACHINES]:
        lines.append(f"\n{machine}: {why}")
        lines += [f"\n  {line}" for line in watch.consoles.tail(machine)]
    if len(watch.failed) > MACHINES:
        lines.append(f"\nand {len(watch.failed) - MACHINES} more machines failed")
    return "".join(lines)
