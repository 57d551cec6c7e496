"""The source image: what the template's filter finds, and the template's own defaults, on which that rests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError
from pipeline.settings.role import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.aws.account import Account
    from pipeline.model import Image


def defaults(folder: Path) -> dict[str, Any]:
    """Variable to default, of all variables of a template that have one.

    Raises:
        PipelineError: A file cannot be parsed.
    """
    # Takes longer to import than all of this module's work, and few ask.
    import hcl2

    plain = hcl2.SerializationOptions(with_comments=False, explicit_blocks=False, strip_string_quotes=True)
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.pkr.hcl")):
        text = path.read_text(encoding="utf-8")
        if not text.lstrip().startswith("variable") and "\nvariable " not in text:
            continue
        try:
            content = hcl2.loads(text, serialization_options=plain)
        # The parser's own kinds of errors are many, and not documented.
        except Exception as error:
            raise PipelineError(
                "the Packer template cannot be read", seen=f"{path}: {error}", change=str(path)
            ) from error
        for block in content.get("variable", ()):
            for name, body in block.items():
                if "default" in body:
                    found[name] = body["default"]
    return found


def find(account: Account, given: Mapping[str, Any], *, where: str) -> Image:
    """The image that a bake with these values would start from.

    Args:
        account: Who is asked.
        given: Values of template variables; the template's defaults fill in for the others.
        where: The file and key that hold the values, for the error.

    Raises:
        PipelineError: No image matches, or AWS could not be asked.
    """
    values = {**defaults(TEMPLATE), **given}
    owners = [str(owner) for owner in values["source_image_owners"]]
    name, architecture = str(values["source_image_name"]), str(values["source_image_architecture"])
    image = account.images.newest(owners=owners, name=name, architecture=architecture)
    if image is None:
        raise PipelineError(
            "the source image filter matches no image",
            seen=f"name {name}, owners {', '.join(owners)}, {architecture}, in {account.region}",
            allowed="a filter that matches an image which this account sees in this region",
            change=f"source_image_name, source_image_owners: {where}",
        )
    return image
