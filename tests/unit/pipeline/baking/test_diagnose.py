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
        ('fatal: [default]: UNREACHABLE! => {"msg": "timed out"}', "stopped answering over SSH"),
        (
            'fatal: [default]: FAILED! => {"msg": "Failed to connect to the host via ssh: Connection timed out"}',
            "stopped answering over SSH",
        ),
        (
            'fatal: [default]: FAILED! => {"msg": "Timeout (12s) waiting for privilege escalation prompt: "}',
            "stopped answering over SSH",
        ),
        # The amazon plugin 1.3, with AWS's SDK 1, then 1.8, with SDK 2.
        ("Error waiting for AMI: ResourceNotReady: exceeded wait attempts", "not available before Packer"),
        (
            "Error waiting for AMI: exceeded max wait time for ImageAvailable waiter",
            "not available before Packer",
        ),
        (
            "Error waiting for AMI: operation error EC2: DescribeImages, api error InvalidAMIID.NotFound: The image id",
            "did not know the image yet",
        ),
        (
            "Error waiting for instance to stop: ResourceNotReady: exceeded wait attempts",
            "did not start or stop",
        ),
        (
            "Error waiting for instance to stop: exceeded max wait time for InstanceStopped waiter",
            "did not start or stop",
        ),
        # aws-samples/eks-workshop-v2, issue 1644.
        (
            "api error InvalidParameterCombination: The specified instance type is not eligible for Free Tier.",
            "free plan",
        ),
        (
            "operation error EC2: DescribeImages, https response error StatusCode: 401, api error AuthFailure: AWS",
            "refused the credentials",
        ),
        (
            "operation error EC2: RunInstances, https response error StatusCode: 403, api error UnauthorizedOperation",
            "refused the credentials",
        ),
        ("NoCredentialProviders: no valid providers in chain. Deprecated.", "refused the credentials"),
        ("No valid credential sources found", "refused the credentials"),
        ("failed to get shared config profile, nobody", "refused the credentials"),
        (
            "get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
            "refused the credentials",
        ),
        (
            "api error ExpiredToken: The security token included in the request is expired",
            "refused the credentials",
        ),
        ("api error RequestExpired: Request has expired.", "refused the credentials"),
        ("RequestError: send request failed\ncaused by: Post: dial tcp: i/o timeout", "not reached"),
        (
            'StatusCode: 0, RequestID: , request send failed, Post "https://x/": dial tcp 192.0.2.1:443: i/o timeout',
            "not reached",
        ),
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
