"""Whether the identity may do what Packer and the program do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions as boto

from pipeline.errors import PipelineError
from pipeline.readiness import network, source, template
from pipeline.readiness.account import UNANSWERED, said
from pipeline.readiness.actions import needed_actions
from pipeline.readiness.dryrun import Answer, attempt
from pipeline.readiness.findings import Subject
from pipeline.readiness.simulation import simulate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.readiness.account import Account, Identity
    from pipeline.readiness.findings import Finding
    from pipeline.readiness.stacks import Stack

SHOWN = 8


def check(account: Account, identity: Identity, stacks: Sequence[Stack]) -> Iterator[Finding]:
    """Every action that the stacks of a place need: by IAM's simulation where it answers, otherwise by dry runs."""
    subject = Subject("permissions", account.about)
    baking = next((stack for stack in stacks if stack.bakes), None)
    needed = needed_actions("bake" if baking else "promote")
    try:
        answers, way = simulate(account, identity, needed), "simulated by IAM"
    except (boto.ClientError, *UNANSWERED) as error:
        answers, way = {}, f"tried by dry runs, as IAM does not simulate them ({said(error)})"
    open_ones = [action for action in needed if answers.get(action) is not Answer.ALLOWED]
    if open_ones:
        image_id, subnet_id = _targets(account, baking)
        for action in open_ones:
            tried = attempt(account, action, image_id=image_id, subnet_id=subnet_id)
            if tried is not Answer.UNKNOWN:
                answers[action] = tried
    yield from judge(subject, needed, answers, way)


def judge(
    subject: Subject, needed: Mapping[str, str], answers: Mapping[str, Answer], way: str
) -> Iterator[Finding]:
    """What the answers come to.

    Args:
        subject: The check.
        needed: Action to why it is needed.
        answers: Action to what is known of it.
        way: How that was found out.
    """
    denied = [action for action in needed if answers.get(action) is Answer.DENIED]
    unknown = [action for action in needed if answers.get(action, Answer.UNKNOWN) is Answer.UNKNOWN]
    if denied:
        yield subject.fail(
            f"{len(denied)} of {len(needed)} actions are denied, {way}:\n{_listed(denied, needed)}",
            cause="the identity's policies, a boundary, or the organization do not allow them",
            cure="allow them in the policy of the identity that `credentials` shows",
        )
    if unknown:
        yield subject.warn(
            f"{len(unknown)} of {len(needed)} actions cannot be told, {way}:\n{_listed(unknown, needed)}",
            cause="neither the simulation nor a dry run gives an answer without a real call",
            cure="allow iam:SimulatePrincipalPolicy and iam:GetRole on the identity itself; or compare by hand",
        )
    if not denied and not unknown:
        yield subject.ok(f"all {len(needed)} actions are allowed, {way}")


def _listed(actions: Sequence[str], why: Mapping[str, str]) -> str:
    lines = [f"{action}: {why[action]}" for action in actions[:SHOWN]]
    rest = actions[SHOWN:]
    return "\n".join([*lines, *([f"and {', '.join(rest)}"] if rest else [])])


def _targets(account: Account, stack: Stack | None) -> tuple[str | None, str | None]:
    """An image and a subnet to try a launch with; their own checks tell why there is none."""
    if stack is None:
        return None, None
    try:
        image = source.find(account, stack)
        subnet = network.find(account, template.values(stack).get("subnet_id"))
    except (PipelineError, boto.ClientError):
        return None, None
    return (image.id if image else None), (str(subnet["SubnetId"]) if subnet else None)
