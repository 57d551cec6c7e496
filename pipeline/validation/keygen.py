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

from pipeline import plans

if TYPE_CHECKING:
    from collections.abc import Mapping


def run(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make an Ed25519 key pair in OpenSSH's formats; nothing is written to disk.

    Args:
        given: The plan (`plans.Keygen`).

    Returns:
        ``publicKey`` (one line) and ``privateKey`` (PEM); the resource marks them secret.

    Raises:
        PipelineError: The plan is incomplete.
    """
    image_id = plans.Keygen.from_json(given).image_id
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return {"publicKey": f"{public} validation-of-{image_id}", "privateKey": private}
