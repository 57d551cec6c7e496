"""What is printed of a machine's words: no secret, in whole or in part."""

import pytest

from pipeline.scanning import gitleaks
from tests import secret_forms

PRINTED = (
    "rsa-pem",
    "pkcs8-pem",
    "openssh",
    "pem-in-one-line",
    "pgp-armored",
    "shadow",
    "aws-profile",
    "cron-d",
)


@pytest.mark.parametrize("form", PRINTED)
def test_nothing_of_a_secret_is_left(form: str) -> None:
    [text] = [secret.content.decode() for secret in secret_forms.secrets(1) if secret.form == form]
    left = gitleaks.redacted(f"app[1]: it failed:\n{text}app[1]: the end\n")
    assert left.startswith("app[1]: it failed:")
    assert left != text
    longest = max(left.replace("\\n", "\n").split(), key=len)
    assert len(longest) < len("AWS_SECRET_ACCESS_KEY=[generic-api-key]") + 12, (
        "a key's line or a hash is longer"
    )
