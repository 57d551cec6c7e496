"""The image that a bake would start from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.doctor import template
from pipeline.doctor.findings import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.doctor.account import Account
    from pipeline.doctor.findings import Finding
    from pipeline.doctor.stacks import Stack
    from pipeline.model import Image


def find(account: Account, stack: Stack) -> Image | None:
    """The newest image that the template's filter matches with the stack's values, or None.

    Raises:
        PipelineError: There is no template, or AWS could not be asked.
    """
    values = template.values(stack)
    return account.aws.images.newest(
        owners=[str(owner) for owner in values["source_image_owners"]],
        name=str(values["source_image_name"]),
        architecture=str(values["source_image_architecture"]),
    )


def check(account: Account, stack: Stack) -> Iterator[Finding]:
    """Whether the filter matches an image, and whose it is."""
    subject = Subject("source image", stack.about)
    values = template.values(stack)
    image = find(account, stack)
    if image is None:
        owners = ", ".join(str(owner) for owner in values["source_image_owners"])
        yield subject.fail(
            f"name {values['source_image_name']}, owners {owners}, {values['source_image_architecture']}",
            cause=f"the source image filter matches no image that this account sees in {account.place.region}",
            cure="source_image_name and source_image_owners: "
            f"{stack.where('bake.variables')}, or packer/variables.pkr.hcl",
        )
    else:
        yield subject.ok(f"{image.id} {image.name}, owner {image.owner}, of {image.created[:10]}")
