"""Why an existing image may not be promoted. Pure: what was read goes in, an error or None comes out.

Source: docs/architecture.md, rule 7. Each refusal names the stack file, the key, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.model import TAG_REJECTED, TAG_REVOKED, TAG_ROLE, TAG_VALIDATED, pointer_name

if TYPE_CHECKING:
    from pipeline.model import Image
    from pipeline.settings.request import Request


def empty_channel(request: Request) -> PipelineError:
    """The channel that the stack takes its image from holds nothing."""
    channel = request.source_channel or ""
    return PipelineError(
        f"channel {channel} holds no image for role {request.role} yet",
        seen=f"no parameter {pointer_name(request.role, channel)}",
        allowed="a channel that some stack has promoted a validated image into",
        change=f"run `pulumi up` on the stack whose golden-image:channel is {channel}; "
        f"or set golden-image:from or golden-image:image in {request.stack_file}",
    )


def of_image(request: Request, image_id: str, image: Image | None) -> PipelineError | None:
    """Why this image may not be promoted by this stack, or None if it may.

    Args:
        request: What the stack asks for.
        image_id: The image that was looked up.
        image: What the look-up found, or None.
    """
    found = _finding(request, image)
    if found is None:
        return None
    what, seen, allowed = found
    return PipelineError(
        f"{via(request)} {image_id} {what}", seen=seen, allowed=allowed, change=way_out(request)
    )


def via(request: Request) -> str:
    """Where an existing image comes from."""
    return "the pinned image" if request.pin else f"the image in channel {request.source_channel}"


def rejected(image: Image, request: Request, *, via: str, way_out: str) -> PipelineError:
    """The image's roll-out has failed in the channel that it is for, or in one before it."""
    return PipelineError(
        f"{via} {image.id} has been rejected: its roll-out failed"
        + (f" in channel {image.rejected_in}" if image.rejected_in else ""),
        seen=f"tag {TAG_REJECTED}: {image.rejected or 'empty'}",
        allowed=f"an image that neither channel {request.channel} nor one before it has rejected",
        change=f"{way_out}\nif the image was not the cause: `python -m pipeline restore {image.id}`, then `pulumi up`",
    )


def _finding(  # noqa: PLR0911 - one return a reason
    request: Request, image: Image | None
) -> tuple[str, str, str] | None:
    """What is wrong, what was seen, what is allowed: the first that applies, the gravest first."""
    if image is None:
        return (
            "does not exist in this region, or this account may not see it",
            "no such image",
            "the id of an image that exists",
        )
    owners = " or ".join(request.owners)
    if not image.allowed_owner:
        return "belongs to an account that is not allowed", f"owner {image.owner}", f"owner {owners}"
    if image.state != "available":
        return "is not available", f"state {image.state}", "state available"
    if image.revoked is not None:
        reason = image.revoked or "no reason given"
        return "has been revoked", f"tag {TAG_REVOKED}: {reason}", f"an image without the tag {TAG_REVOKED}"
    if image.role != request.role:
        seen = f"tag {TAG_ROLE}: {image.role}" if image.role else f"no tag {TAG_ROLE}"
        return "is not made for this role", seen, f"{TAG_ROLE}={request.role}"
    if image.architecture != request.architecture:
        return "has another architecture", image.architecture or "none", request.architecture
    if image.validated is None:
        return (
            "never passed a validation",
            f"no tag {TAG_VALIDATED}",
            "an image that a stack with golden-image:from: bake has validated",
        )
    return None


def way_out(request: Request) -> str:
    """How a stack asks for another image."""
    history = f"`python -m pipeline rollback {request.stack}` pins the channel's previous good image"
    if request.pin:
        return f"golden-image:image in {request.stack_file}: another id, or no pin; {history}"
    return (
        f"promote a good image into channel {request.source_channel}, "
        f"or pin one with golden-image:image in {request.stack_file}; {history}"
    )
