"""A promotion as resources: the channel's pointer, then the tag that follows it."""

from __future__ import annotations

import pulumi
import pulumi_aws as aws

from pipeline.model import TAG_CHANNEL, pointer_name


class ImagePromotion(pulumi.ComponentResource):
    """A channel that holds one image.

    The pointer moves first: it is the authority (rule 4). The tag follows (rule 5): the new image gets it, and
    the displaced one loses it at the end of the update, because a changed ``resource_id`` replaces the tag,
    new before old. EC2 removes a tag only if its value is the one in the state, so an image that another
    stack has moved on to its own channel keeps that newer tag.
    Destroying the component removes pointer and tag; the image stays.
    """

    image_id: pulumi.Output[str]
    """The image in the channel, known once pointer and tag are in place."""

    pointer: pulumi.Output[str]
    """Name of the SSM parameter."""

    def __init__(
        self,
        name: str,
        *,
        role: str,
        channel: str,
        image_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the promotion.

        Args:
            name: The component's name.
            role: What the image is made for.
            channel: The channel that it is promoted into.
            image_id: A validated image.
            opts: Options of the component.
        """
        super().__init__("golden-image:index:ImagePromotion", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        pointer = aws.ssm.Parameter(
            f"{name}-pointer",
            name=pointer_name(role, channel),
            type="String",
            data_type="aws:ec2:image",
            description=f"The image that channel {channel} of role {role} holds",
            # Not `value`: that one is secret, and so would be all that derives from it.
            insecure_value=image_id,
            # A pointer that outlived its stack's state is taken over, not an error.
            overwrite=True,
            opts=child,
        )
        held = pointer.insecure_value.apply(_known_image)
        tag = aws.ec2.Tag(f"{name}-channel", resource_id=held, key=TAG_CHANNEL, value=channel, opts=child)
        self.image_id = tag.resource_id
        self.pointer = pointer.name
        self.register_outputs({"imageId": self.image_id, "pointer": self.pointer})


def _known_image(value: str | None) -> str:
    """The pointer's value, which the SDK types as optional because a secret parameter has none."""
    if not value:
        raise ValueError("the provider returned a pointer without a value")
    return value
