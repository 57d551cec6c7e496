"""The account encrypts by default."""

from __future__ import annotations

from typing import ClassVar

from lab.dataplane import ec2
from lab.manners.base import Manner


class Encryption(Manner):
    """EBS encryption by default is enabled: every new volume, and with it snapshot and image, is encrypted.

    (EBS user guide, "Enable Amazon EBS encryption by default"; API reference, EnableEbsEncryptionByDefault.) What a
    launch's block device mapping says is followed without this manner, too (`lab.disks`).
    """

    name: ClassVar[str] = "encryption"

    def begin(self) -> None:
        """EnableEbsEncryptionByDefault."""
        ec2().ebs_encryption_by_default = True

    def end(self) -> None:
        """DisableEbsEncryptionByDefault."""
        ec2().ebs_encryption_by_default = False
