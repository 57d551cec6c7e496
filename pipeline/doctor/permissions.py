"""Whether the identity may do what Packer and the program do."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore import exceptions as boto

from pipeline.doctor import network, source, template
from pipeline.doctor.account import UNANSWERED, said
from pipeline.doctor.actions import needed_actions, policy_file
from pipeline.doctor.dryrun import Answer, Real, attempt
from pipeline.doctor.findings import Subject
from pipeline.doctor.simulation import simulate
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.doctor.account import Account, Identity
    from pipeline.doctor.actions import Kind
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack

SHOWN = 8


def check(account: Account, identity: Identity, stack: Stack) -> Iterator[Finding]:
    """Every action that a stack's update needs: by IAM's simulation where it answers, otherwise by dry runs."""
    subject = Subject("permissions", stack.about)
    kind: Kind = "bake" if stack.bakes else "promote"
    needed = needed_actions(kind)
    try:
        answers, way = simulate(account, identity, needed, stack), "simulated by IAM"
    except (boto.ClientError, *UNANSWERED) as error:
        answers, way = {}, f"tried by dry runs, as IAM does not simulate them ({said(error)})"
    open_ones = [action for action in needed if answers.get(action) is not Answer.ALLOWED]
    if open_ones:
        real = _real(account, stack)
        for action in open_ones:
            tried = attempt(account, action, real)
            if tried is not Answer.UNKNOWN:
                answers[action] = tried
    yield from judge(subject, needed, answers, way, policy_file(kind).name)


def judge(
    subject: Subject, needed: Mapping[str, str], answers: Mapping[str, Answer], way: str, policy: str
) -> Iterator[Finding]:
    """What the answers come to.

    Args:
        subject: The check.
        needed: Action to why it is needed.
        answers: Action to what is known of it.
        way: How that was found out.
        policy: The file in iam/ that allows them.
    """
    denied = [action for action in needed if answers.get(action) is Answer.DENIED]
    unknown = [action for action in needed if answers.get(action, Answer.UNKNOWN) is Answer.UNKNOWN]
    if denied:
        yield subject.fail(
            f"{len(denied)} of {len(needed)} actions are denied, {way}:\n{_listed(denied, needed)}",
            cause="the identity's policies, a boundary, or the organization do not allow them",
            cure=f"allow them to the identity that `credentials` shows: iam/{policy}, and iam/README.md for its names",
        )
    if unknown:
        yield subject.warn(
            f"it is not known whether {len(unknown)} of {len(needed)} actions are allowed, {way}:\n"
            f"{_listed(unknown, needed)}",
            cause="neither the simulation nor a dry run gives an answer without a real call",
            cure="allow iam:SimulatePrincipalPolicy and iam:GetRole on the identity itself; or compare it with "
            f"iam/{policy} by hand",
        )
    if not denied and not unknown:
        yield subject.ok(f"all {len(needed)} actions are allowed, {way}")


def _listed(actions: Sequence[str], why: Mapping[str, str]) -> str:
    lines = [f"{action}: {why[action]}" for action in actions[:SHOWN]]
    rest = actions[SHOWN:]
    return "\n".join([*lines, *([f"and {', '.join(rest)}"] if rest else [])])


def _real(account: Account, stack: Stack) -> Real:
    """What exists to try calls with; their own checks tell why there is none."""
    real = Real(region=stack.place.region, channel=stack.channel)
    if not stack.bakes:
        return real
    with contextlib.suppress(PipelineError, boto.ClientError):
        image = source.find(account, stack)
        real = replace(real, image_id=image.id if image else None)
        subnet = network.find(account, template.values(stack).get("subnet_id"))
        real = replace(real, subnet_id=str(subnet["SubnetId"]) if subnet else None)
    return real
