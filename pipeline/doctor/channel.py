"""The parameters that hold a channel's image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions as boto

from pipeline import aws
from pipeline.aws.causes import DENIED
from pipeline.channels.standing import Standing, describe
from pipeline.doctor.account import code_of, said
from pipeline.doctor.findings import Subject
from pipeline.model import POINTER_ROOT, pointer_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether the channels that a stack reads can be read, and whether the one it takes from holds an image."""
    subject = Subject("channel", stack.about)
    names = [pointer_name(stack.role, stack.channel)]
    if stack.source is not None and not stack.bakes:
        names.append(pointer_name(stack.role, stack.source))
    try:
        held = {name: value for name in names if (value := _value(account, name)) is not None}
        moved = list(_moved(account, stack))
    except boto.ClientError as error:
        if code_of(error) not in DENIED:
            raise
        yield subject.fail(
            said(error),
            cause="the identity may not read the parameters that hold the channels' images",
            cure=f"allow ssm:GetParameter and ssm:GetParameterHistory on parameter{POINTER_ROOT}/*",
        )
        return
    yield from moved
    shown = ", ".join(f"{name} holds {held.get(name, 'nothing yet')}" for name in names)
    source = names[-1]
    if len(names) > 1 and source not in held:
        yield subject.warn(
            shown,
            cause=f"the stack takes its image from channel {stack.source}, which holds none",
            cure=f"update the stack that promotes into {stack.source} first; or {stack.where('image')}",
        )
    else:
        yield subject.ok(shown)


def _moved(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether somebody else has written the channel's pointer, by the comparison that a preview makes."""
    record = aws.parameter_history(account.client("ssm"), pointer_name(stack.role, stack.channel))
    standing = Standing(stack=stack.name, role=stack.role, channel=stack.channel, record=record)
    if standing.moved:
        latest = standing.record[0]
        yield Subject("channel", stack.about).warn(
            f"{pointer_name(stack.role, stack.channel)} {describe(latest)}",
            cause=f"stack {stack.name} did not put that image into channel {stack.channel}, and refuses to replace it",
            cure=f"{standing.way_out(latest)}; to keep it: {stack.where('image')}",
        )


def _value(account: Account, name: str) -> str | None:
    """With the call that the program makes; GetParameters is another permission."""
    ssm = account.client("ssm")
    try:
        value: str = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value
