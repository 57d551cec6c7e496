"""The `keygen` step: a key pair for the validation machines of one image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Make an Ed25519 key pair in OpenSSH's formats; nothing is written to disk.

    Args:
        plan: ``imageId``, which becomes the key's comment.

    Returns:
        ``publicKey`` (one line) and ``privateKey`` (PEM); the resource marks them secret.

    Raises:
        PipelineError: The plan names no image.
    """
    image_id = plan.get("imageId")
    if not isinstance(image_id, str):
        raise PipelineError(
            "the plan on standard input lacks 'imageId'",
            change="`bin/step keygen` is started by the program; see components/image_validation.py",
        )
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return {"publicKey": f"{public} validation-of-{image_id}", "privateKey": private}
