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

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Make an Ed25519 key pair in OpenSSH's formats; nothing is written to disk.

    Args:
        plan: ``imageId``, which becomes the key's comment.

    Returns:
        ``publicKey`` (one line) and ``privateKey`` (PEM); the resource marks them secret.
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return {"publicKey": f"{public} validation-of-{plan['imageId']}", "privateKey": private}
