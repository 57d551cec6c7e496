"""What Packer and Ansible print for the known failures (their own words), and what we make of it."""

import pytest

from pipeline.baking.diagnose import diagnose


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "==> web-base.amazon-ebs.web-base: No AMI was found matching filters: {\n  Filters: [{",
            "the source image filter matches no image",
        ),
        ("==> web-base.amazon-ebs.web-base: Timeout waiting for SSH.", "could not log in"),
        (
            'Error uploading script: lease login as the user "admin" rather than the user "root".',
            "not the source image's default user",
        ),
        (
            "Packer experienced an authentication error when connecting via SSH: ssh: handshake failed",
            "could not log in",
        ),
        ('"module_stderr": "/bin/sh: 1: /usr/bin/python3: not found\\n"', "no Python"),
        ('fatal: [default]: FAILED! => {"msg": "Missing sudo password"}', "may not become root"),
        ("Error waiting for AMI: ResourceNotReady: exceeded wait attempts", "not available before Packer"),
        (
            "verify-clean: /etc/machine-id is not empty\nError executing Ansible",
            "would have carried an identity",
        ),
        (
            'fatal: [default]: FAILED! => {"msg": "No package matching nginz"}',
            "a task of the playbook failed",
        ),
        (
            "AuthFailure: AWS was not able to validate the provided access credentials",
            "refused the credentials",
        ),
        ('Post "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused', "not reached"),
    ],
)
def test_known(log: str, cause: str) -> None:
    found = diagnose(log)
    assert found is not None
    assert cause in found.cause
    assert found.cure


def test_unknown() -> None:
    assert diagnose("Something entirely different") is None
