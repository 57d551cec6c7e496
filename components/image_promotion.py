"""A promotion as resources: the channel's pointer, then the tag that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_aws as aws

from components import step
from pipeline import plans
from pipeline.model import (
    TAG_CHANNEL,
    plain_description,
    pointer_description,
    pointer_name,
    returned_description,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulumi_command.local import Command

    from pipeline.promote.standing import Standing


class ImagePromotion(pulumi.ComponentResource):
    """A channel that holds one image.

    The step `claim` makes sure that nobody else has moved the channel, and takes its tag from the earlier image. Then
    the pointer moves: it is the authority. The step `held` waits until it holds the image. Then the tag follows: the
    new image gets it here, shown in the preview, and the step `settle` puts right what other channels hold.
    The provider could take the tag from the earlier image, too, but would take away the one that another stack has
    given the image since, once a refresh has put that one into the state; so the tag stays on delete, and its value
    is not ours to reset.
    The steps run again whenever the pointer is not as this stack left it: their plan holds the word of the
    label that is on its latest version, or else a new one (`pipeline.promote.standing`).
    Destroying the component removes pointer and tag; the image stays.
    """

    image_id: pulumi.Output[str]
    """The image in the channel; known in the preview if the given one is."""

    pointer: pulumi.Output[str]
    """Name of the SSM parameter."""

    since: pulumi.Output[str]
    """Since when the channel has held it without a break, ISO 8601 in UTC."""

    previous_image: pulumi.Output[str]
    """What the channel held before, or an empty text."""

    when: pulumi.Output[str]
    """When its pointer was written, ISO 8601."""

    label: pulumi.Output[str]
    """The word of the label that the promotion has left on the pointer."""

    settled: pulumi.Resource
    """Done when pointer and tags agree; what uses the image waits for it."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        channel: str,
        source: str | None,
        image_id: pulumi.Input[str],
        standing: Standing,
        word: str,
        region: str,
        environment: Mapping[str, str],
        rejected: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the promotion.

        Args:
            name: The component's name.
            role: What the image is made for.
            channel: The channel that it is promoted into.
            source: Where the stack takes images from: a channel, ``bake``, or None for pins alone.
            image_id: A validated image.
            standing: Where the channel stands now.
            word: Word of a label for this promotion, if the channel is not as wanted; a new one each time.
            region: AWS region.
            environment: How the step reaches AWS.
            rejected: The image whose roll-out failed, where this promotion finishes the return from it to `image_id`,
                which is then known. The label is left to the step `roll-out`.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImagePromotion", name, None, opts)
        description = pointer_description(role, channel, source)
        if rejected is not None and isinstance(image_id, str):
            description = plain_description(
                returned_description(role, channel, source, failed=rejected, to=image_id, word=word)
            )
        requested = pulumi.Output.from_input(image_id)
        there = isinstance(image_id, str) and standing.holds(image_id, description)
        plan = {
            "region": region,
            "role": role,
            "channel": channel,
            "stack": standing.stack,
            "image_id": requested,
        }

        def declare(
            kind: type[plans.Promotion],
            *,
            after: pulumi.Resource | None,
            delete: type[plans.Leave] | None = None,
            **more: pulumi.Input[Any],
        ) -> Command:
            return step.declare(
                self,
                f"{name}-{kind.step}",
                kind,
                {**plan, **more},
                environment=environment,
                # Not a replacement: its old half would leave the channel that the new half is in.
                in_place=True,
                delete=delete,
                after=after,
            )

        label = requested.apply(lambda image: standing.promised(image, description, word))
        claim = declare(plans.Claim, label=label, after=None)
        pointer = aws.ssm.Parameter(
            f"{name}-pointer",
            name=pointer_name(role, channel),
            type="String",
            data_type="aws:ec2:image",
            # With a new word whenever it does not hold the image: what the state says of it may be out of date.
            description=requested.apply(lambda image: standing.described(image, description, word)),
            # Not `value`: that one is secret, and so would be all that derives from it.
            insecure_value=image_id,
            # A pointer that outlived its stack's state is taken over, not an error.
            overwrite=True,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Not by data: what the claim returns is unknown in a preview, and the image must not be.
                depends_on=[claim],
                # AWS may have written the pointer after the provider read it: the state then has the earlier image,
                # and would have the present one written again.
                ignore_changes=["insecure_value", "description"] if there else None,
            ),
        )
        held = declare(
            plans.Held,
            claim=step.result(claim),
            # So that the label follows whenever the pointer was written.
            pointer_version=pointer.version,
            returns=rejected is not None,
            after=pointer,
        )
        tag = aws.ec2.Tag(
            f"{name}-channel",
            # The image that was asked for: what the provider read of the pointer may be the earlier one.
            resource_id=image_id,
            key=TAG_CHANNEL,
            value=channel,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[held], retain_on_delete=True, ignore_changes=["value"]
            ),
        )
        record = step.result(held)
        self.when = record.apply(lambda found: str(found["when"]))
        self.label = step.result(claim).apply(lambda found: str(found["label"]))
        self.settled = declare(
            plans.Settle,
            source=source,
            when=self.when,
            delete=plans.Leave,
            after=tag,
        )
        self.since = record.apply(lambda found: str(found["since"]))
        self.previous_image = record.apply(lambda found: str(found["previousImage"] or ""))
        self.image_id = requested
        self.pointer = pointer.name
        self.register_outputs({"imageId": self.image_id, "pointer": self.pointer})
