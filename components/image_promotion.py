"""A promotion as resources: the channel's pointer, then the tag that follows it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws
from pulumi_command.local import Command, Logging

from components.steps import INTERPRETER
from pipeline.model import TAG_CHANNEL, pointer_description, pointer_name

if TYPE_CHECKING:
    from collections.abc import Mapping


class ImagePromotion(pulumi.ComponentResource):
    """A channel that holds one image.

    The step `claim` makes sure that nobody else has moved the channel. Then the pointer moves: it is the authority
    (rule 4). The tag follows (rule 5): the new image gets it here, shown in the preview, and the step `settle` takes
    it from the displaced one. The provider could do that too, but would take away the tag that another stack has
    given the image since, once a refresh has put that one into the state; so the tag stays on delete, and its value
    is not ours to reset.
    Destroying the component removes pointer and tag; the image stays.
    """

    image_id: pulumi.Output[str]
    """The image in the channel; known in the preview if the given one is."""

    pointer: pulumi.Output[str]
    """Name of the SSM parameter."""

    since: pulumi.Output[str]
    """Since when the channel has held it without a break, ISO 8601 in UTC; the step `settle` tells, so that a preview
    with nothing to do asks AWS nothing."""

    previous_image: pulumi.Output[str]
    """What the channel held before, or an empty text."""

    settled: Command
    """Done when pointer and tags agree; what uses the image waits for it."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        channel: str,
        source: str | None,
        image_id: pulumi.Input[str],
        region: str,
        environment: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the promotion.

        Args:
            name: The component's name.
            role: What the image is made for.
            channel: The channel that it is promoted into.
            source: Where the stack takes images from: a channel, ``bake``, or None for pins alone.
            image_id: A validated image.
            region: AWS region.
            environment: How the step reaches AWS.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImagePromotion", name, None, opts)
        plan = {"region": region, "role": role, "channel": channel, "imageId": image_id}

        def step(
            part: str, *, delete: str | None, plan: dict[str, Any], after: pulumi.Resource | None
        ) -> Command:
            return Command(
                f"{name}-{part}",
                interpreter=INTERPRETER,
                create=part,
                # In place, not a replacement: its old half would leave the channel that the new half is in.
                update=part,
                delete=delete,
                stdin=pulumi.Output.json_dumps(plan, sort_keys=True),
                environment=dict(environment),
                logging=Logging.STDERR,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[after] if after else None),
            )

        claim = step("claim", delete=None, plan=plan, after=None)
        pointer = aws.ssm.Parameter(
            f"{name}-pointer",
            name=pointer_name(role, channel),
            type="String",
            data_type="aws:ec2:image",
            description=pointer_description(role, channel, source),
            # Not `value`: that one is secret, and so would be all that derives from it.
            insecure_value=image_id,
            # A pointer that outlived its stack's state is taken over, not an error.
            overwrite=True,
            # Not by data: what the claim says is unknown in a preview, and the image must not be.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[claim]),
        )
        held = pointer.insecure_value.apply(_known_image)
        tag = aws.ec2.Tag(
            f"{name}-channel",
            resource_id=held,
            key=TAG_CHANNEL,
            value=channel,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True, ignore_changes=["value"]),
        )
        self.settled = step(
            "settle",
            delete="leave",
            # The image that was asked for, not the pointer's: that is what must have come of it. The version, so
            # that the tags follow whenever the pointer was written.
            plan={
                **plan,
                "claimed": claim.stdout.apply(_version),
                "pointerVersion": pointer.version,
            },
            after=tag,
        )
        record = self.settled.stdout.apply(json.loads)
        self.since = record.apply(lambda said: str(said.get("since", "")))
        self.previous_image = record.apply(lambda said: str(said.get("previousImage") or ""))
        self.image_id = tag.resource_id
        self.pointer = pointer.name
        self.register_outputs({"imageId": self.image_id, "pointer": self.pointer})


def _version(claimed: str) -> int:
    """The pointer's version when the claim looked."""
    return int(json.loads(claimed)["version"])


def _known_image(value: str | None) -> str:
    """The pointer's value, which the SDK types as optional because a secret parameter has none."""
    if not value:
        raise ValueError("the provider returned a pointer without a value")
    return value
