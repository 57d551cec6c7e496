"""The step `settle`: after a pointer has moved, every image of the role bears the tag of the channel it is in.

The pointers are the authority, and the tag follows them: an image bears the name of the channel that holds it, of
several the one furthest from the bake (prod before candidate), and an image that none holds bears none. So a
displaced image loses its tag, keeps the one of a later stage, or gets back that of an earlier one that holds it
still, whoever did what before.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from pipeline import aws
from pipeline.channels.pointer import NOTHING, Pointer, check_plan, tenure, told
from pipeline.errors import PipelineError
from pipeline.model import POINTER_ROOT, TAG_CHANNEL, TAG_ROLE, Held, pointer_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SETTLED_SECONDS = 30
"""How long AWS may take to accept a pointer's image: for data type aws:ec2:image, SSM checks the id only after the
call has returned."""

POLL_SECONDS = 1


def say(text: str) -> None:
    """One line of the step's own log."""
    sys.stderr.write(f"==> settle: {text}\n")
    sys.stderr.flush()


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Wait until the pointer says what it was told, then settle the tags of the role's images.

    Args:
        plan: ``region``, ``role``, ``channel``, ``imageId``, and ``claimed``: the pointer's version when the step
            `claim` looked.

    Returns:
        ``imageId``, ``since`` (when the channel came to hold it, ISO 8601 in UTC), ``previousImage`` (or None).

    Raises:
        PipelineError: The pointer does not hold the image, somebody else's promotion came in between, or the plan
            is incomplete.
    """
    account = Account.of(plan)
    pointer = Pointer(plan["role"], plan["channel"], ssm=account.ssm)
    insist(pointer, plan["imageId"], claimed=int(plan.get("claimed", 0)))
    account.settle(plan["channel"], account.held())
    since, previous = tenure(pointer.written_after(NOTHING))
    return {"imageId": plan["imageId"], "since": f"{since:%Y-%m-%dT%H:%M:%SZ}", "previousImage": previous}


def leave(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Settle as if the channel held nothing any more: what the removal of a stack does first.

    Args:
        plan: As of `run`.

    Returns:
        ``imageId``.

    Raises:
        PipelineError: The plan is incomplete.
    """
    account = Account.of(plan)
    account.settle(plan["channel"], [one for one in account.held() if one.channel != plan["channel"]])
    return {"imageId": plan["imageId"]}


def withdraw(ec2: Any, image_id: str, *, role: str, region: str) -> None:
    """Take the tag that Packer gave it from an image that no channel holds, for it did not pass."""
    account = Account(role, ec2=ec2, ssm=aws.client("ssm", region=region))
    if image_id not in wanted_tags(account.held()):
        channel = account.tagged().get(image_id)
        if channel is not None:
            account.untag(image_id, channel)


def wanted_tags(held: Iterable[Held]) -> dict[str, str]:
    """Image id to channel: of those that hold an image, the furthest from the bake; of equals, the latest."""
    everyone = list(held)
    order = sorted(everyone, key=lambda one: (distance(one, everyone), one.since, one.channel))
    return {one.image_id: one.channel for one in order}


def distance(one: Held, everyone: Sequence[Held]) -> int:
    """How many channels an image has passed when it gets into this one, by where each says that it takes them."""
    by_channel = {other.channel: other for other in everyone}
    passed = 0
    source = one.source
    seen = {one.channel}
    while source in by_channel and source not in seen:
        seen.add(source)
        passed += 1
        source = by_channel[source].source
    return passed


def insist(pointer: Pointer, image_id: str, *, claimed: int) -> None:
    """Return once a pointer holds an image, and nobody else's promotion was overwritten on the way.

    Args:
        pointer: The channel's.
        image_id: The image that was written.
        claimed: The pointer's version before.

    Raises:
        PipelineError: It does not in time; or the first to write after `claimed` was somebody else.
    """
    from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed  # noqa: PLC0415

    waiting = Retrying(
        # A version that somebody has written since will not go away by waiting.
        retry=retry_if_result(lambda found: found.image_id != image_id and found.version <= claimed),
        stop=stop_after_delay(SETTLED_SECONDS),
        wait=wait_fixed(POLL_SECONDS),
    )
    try:
        waiting(pointer.position)
    except RetryError as error:
        raise PipelineError(
            f"channel {pointer.channel} does not hold {image_id}, though the call to move it succeeded",
            seen=f"{pointer.name} holds {error.last_attempt.result().image_id or 'nothing'} "
            f"after {SETTLED_SECONDS} s",
            allowed=image_id,
            change="AWS throws away an image id that it cannot see: is the image still there? then `pulumi up` again",
        ) from error
    written = pointer.written_after(claimed)
    other = next((entry for entry in (written[:1] + written[-1:]) if entry.image_id != image_id), None)
    if other is not None:
        raise PipelineError(
            f"two promotions into channel {pointer.channel} at once: somebody else's came between this one's look "
            "and its write",
            seen="\n".join(map(told, written)),
            allowed=f"version {claimed} directly followed by {image_id}",
            change=f"decide which image the channel shall hold; it now holds {written[-1].image_id}. If that is this "
            "stack's: `pulumi up --replace '**-claim'` confirms it; else pin it (golden-image:image) and "
            "`pulumi up`",
        )


class Account:
    """Pointers and tags of one role.

    Args:
        role: The role.
        ec2: A client of EC2.
        ssm: A client of SSM.
    """

    def __init__(self, role: str, *, ec2: Any, ssm: Any) -> None:
        self._role = role
        self._ec2 = ec2
        self.ssm = ssm

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Account:
        """The account that a plan is about.

        Raises:
            PipelineError: The plan is incomplete.
        """
        check_plan(plan, "settle")
        region = plan["region"]
        return cls(plan["role"], ec2=aws.client("ec2", region=region), ssm=aws.client("ssm", region=region))

    def held(self) -> list[Held]:
        """What the role's channels hold."""
        root = f"{POINTER_ROOT}/{self._role}/"
        values = self.ssm.get_paginator("get_parameters_by_path").paginate(Path=root)
        filters = [{"Key": "Name", "Option": "BeginsWith", "Values": [root]}]
        described = self.ssm.get_paginator("describe_parameters").paginate(ParameterFilters=filters)
        texts = {
            found["Name"]: found.get("Description", "") for page in described for found in page["Parameters"]
        }
        return [
            Held(
                channel=found["Name"].removeprefix(root),
                image_id=found["Value"],
                since=found["LastModifiedDate"],
                source=pointer_source(texts.get(found["Name"], "")),
            )
            for page in values
            for found in page["Parameters"]
        ]

    def tagged(self) -> dict[str, str]:
        """Our images of the role that bear a channel's tag, and which."""
        pages = self._ec2.get_paginator("describe_images").paginate(
            Owners=["self"],
            Filters=[
                {"Name": f"tag:{TAG_ROLE}", "Values": [self._role]},
                {"Name": "tag-key", "Values": [TAG_CHANNEL]},
            ],
        )
        return {
            image["ImageId"]: tag["Value"]
            for page in pages
            for image in page["Images"]
            for tag in image["Tags"]
            if tag["Key"] == TAG_CHANNEL
        }

    def settle(self, channel: str, held: list[Held]) -> None:
        """Make the tags what the pointers say; calls only for those that differ.

        A tag of a channel that has no pointer is left alone, but for `channel` itself: it is not ours.
        """
        wanted, tagged = wanted_tags(held), self.tagged()
        ours = {channel, *(one.channel for one in held)}
        for image_id in tagged.keys() - wanted.keys():
            if tagged[image_id] in ours:
                say(f"{image_id} is in channel {tagged[image_id]} no more")
                self.untag(image_id, tagged[image_id])
        for image_id, name in wanted.items():
            if tagged.get(image_id) != name and self._is_there(image_id):
                say(f"{image_id} is in channel {name}")
                self._ec2.create_tags(Resources=[image_id], Tags=[{"Key": TAG_CHANNEL, "Value": name}])

    def untag(self, image_id: str, channel: str) -> None:
        """Take the channel's tag away, if it still has that value."""
        self._ec2.delete_tags(Resources=[image_id], Tags=[{"Key": TAG_CHANNEL, "Value": channel}])

    def _is_there(self, image_id: str) -> bool:
        """Whether a channel's image still exists: one may have been deregistered under another channel."""
        answer = self._ec2.describe_images(Filters=[{"Name": "image-id", "Values": [image_id]}])
        return bool(answer["Images"])
