"""Known ways in which a bake fails: from what Packer printed to cause and cure."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Diagnosis:
    """Why a bake failed, and what to do."""

    cause: str
    cure: str


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    diagnosis: Diagnosis


def _known(pattern: str, cause: str, cure: str) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), Diagnosis(cause, cure))


KNOWN = (
    _known(
        r"lease login as the user \S+ rather than the user",
        "ssh_username is not the source image's default user: the builder said whom it lets in",
        "set ssh_username to the user that the builder names (ec2-user, admin on Debian, ubuntu)",
    ),
    _known(
        r"No AMI was found matching filters",
        "the source image filter matches no image",
        "check source_image_name, source_image_owners and source_image_architecture, and that the image "
        "exists in this region",
    ),
    _known(
        r"Timeout waiting for SSH|unable to authenticate, attempted methods|handshake failed: ssh"
        r"|authentication error when connecting via SSH",
        "Packer could not log in to the builder over SSH: wrong user, no network path, or a security group",
        "ssh_username must be the source image's default user; is the builder's address reachable from here "
        "(ssh_interface, subnet_id, security_group_ids)?",
    ),
    _known(
        r"/usr/bin/python3?: (not found|No such file)|interpreter .*python.* (not found|was not found)"
        r"|Failed to (find|discover).*python",
        "Ansible found no Python on the builder",
        "packer/scripts/prepare.sh must install python3 before the playbook runs",
    ),
    _known(
        r"Missing sudo password|sudo: a password is required|is not in the sudoers file"
        r"|Incorrect sudo password",
        "the SSH user may not become root on the builder",
        "give the source image's default user sudo without a password, or choose another ssh_username",
    ),
    _known(
        r"Error waiting for instance",
        "the builder did not start or stop before Packer gave up",
        "look at its state and its console output in EC2, then run `pulumi up` again",
    ),
    _known(
        r"Error waiting for (the )?AMI.*InvalidAMIID\.NotFound",
        "EC2 did not know the image yet that it had just begun to make, and Packer's amazon plugin does not ask twice",
        "run `pulumi up` again: EC2's reads may lag behind its writes; the unfinished image is removed",
    ),
    _known(
        r"Error waiting for (the )?AMI|exceeded wait attempts|exceeded max wait time for ImageAvailable",
        "the image was not available before Packer gave up; it may be yet",
        "run `pulumi up` again; the unfinished image is not used, and `python -m pipeline retire` removes it in time",
    ),
    _known(
        r"verify-clean: (?!nothing is left)",
        "the image would have carried an identity or leftovers of the build",
        "the lines that begin with verify-clean name each of them; packer/scripts/clean.sh must remove it",
    ),
    _known(
        r"UNREACHABLE!|Failed to connect to the host via ssh|ssh session open error"
        r"|Timeout \(\d+s\) waiting for privilege escalation prompt|Remote command exited without exit status",
        "the builder stopped answering over SSH in the middle of the bake",
        "run `pulumi up` again; if it happens again: is the builder out of memory or disk (instance_type, "
        "root_volume_size), does the playbook change its network?",
    ),
    _known(
        r"fatal: \[.*?\]: FAILED!|Error executing Ansible|ansible-playbook.*non-zero exit status",
        "a task of the playbook failed",
        "the task is in packer/ansible/, or in the role's folder in packer/roles/",
    ),
    _known(
        r"InvalidParameterCombination: The specified instance type is not eligible for Free Tier",
        "the account is on AWS's free plan, which does not allow this instance type",
        "set instance_type in golden-image:bake.variables to one that EC2 names, such as t3.small; the fleet's "
        "(golden-image:fleet.instanceType), too",
    ),
    _known(
        r"AuthFailure|UnauthorizedOperation|NoCredentialProviders|ExpiredToken|RequestExpired|no valid credential"
        r"|InvalidClientTokenId|failed to refresh cached credentials|failed to get shared config profile",
        "AWS refused the credentials, or a permission is missing",
        "check which identity the environment or aws:profile gives, and what it may do",
    ),
    _known(
        r"connection refused|no such host|RequestError: send request failed|request send failed",
        "AWS was not reached",
        "start what AWS_ENDPOINT_URL names, or unset it for AWS itself; check the region and the network",
    ),
)
"""Most telling first: a failed login also shows as a failed playbook. Source: texts of
Packer 1.12 and 1.16, packer-plugin-amazon 1.3 (AWS's SDK 1) and 1.8 (SDK 2), and ansible-core 2.18."""


def diagnose(log: str) -> Diagnosis | None:
    """The first known failure that Packer's log shows, or None."""
    return next((known.diagnosis for known in KNOWN if known.pattern.search(log)), None)
