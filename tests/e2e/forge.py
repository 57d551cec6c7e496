"""Images that are broken in one way, made in seconds: a machine of a good image, changed, and imaged again."""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab.workbench import PROJECT, Workbench
from pipeline.baking.bakekey import ingredients
from pipeline.baking.variables import variables_of
from pipeline.settings import load
from pipeline.settings import role as roles
from tests.e2e.registry import baked_tags

USER = "admin"
LOGIN_SECONDS = 300
SSH_FAILED = 255  # ssh(1), EXIT STATUS


@dataclass(frozen=True)
class Forge:
    """Makes images in a bench's lab.

    Attributes:
        bench: A working copy.
        folder: For the key that opens the machines.
    """

    bench: Workbench
    folder: Path

    def image(
        self, parent: str, script: str, *, clean: bool = True, user: str = USER, packed: Path | None = None
    ) -> str:
        """An image of a machine of `parent` on which `script` has run as root, after the bake's clean-up.

        It bears the bake key of the bench's present content, so that the next update adopts it as its bake. What
        `packed`, an archive of tar, holds is on the machine before; the clean-up then follows the script.
        """
        ec2 = self.bench.client("ec2")
        name = f"forge-{time.monotonic_ns()}"
        key = self._key(ec2, name)
        instance = ec2.run_instances(
            ImageId=parent, InstanceType="t3.micro", KeyName=name, MinCount=1, MaxCount=1
        )["Instances"][0]
        cleaning = (PROJECT / "packer/scripts/clean.sh").read_text() if clean else ""
        parts = [script, cleaning] if packed else [cleaning, script]
        self._run(instance["PrivateIpAddress"], key, "\n".join([*parts, ""]), user, packed)
        tags = {"BakeKey": self.bake_key(), "Role": "web", "ManagedBy": "packer", "Name": name}
        image: str = ec2.create_image(
            InstanceId=instance["InstanceId"], Name=name, TagSpecifications=baked_tags(tags)
        )["ImageId"]
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
        ec2.delete_key_pair(KeyName=name)
        return image

    def bake_key(self) -> str:
        """The key that an update of dev would bake now."""
        file = self.bench.stack_file("dev")
        stack = load.read("dev", file)
        template = self.bench.folder / "packer"
        role = roles.read(template, stack.role, str(file))
        content, _ = variables_of(stack, role, template)
        return ingredients(template, role=role.name, content=content, serial=stack.bake.serial).key

    def _key(self, ec2: Any, name: str) -> Path:
        key = Ed25519PrivateKey.generate()
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        ec2.import_key_pair(KeyName=name, PublicKeyMaterial=public)
        return path

    def _run(self, address: str, key: Path, script: str, user: str, packed: Path | None) -> None:
        ssh = [
            "ssh", "-F", "/dev/null", "-i", str(key), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "ConnectTimeout=2",
            f"{user}@{address}",
        ]  # fmt: skip
        deadline = time.monotonic() + LOGIN_SECONDS
        wait = [*ssh, "systemctl is-system-running --wait"]
        # sshd comes up in the middle of the boot.
        while subprocess.run(wait, capture_output=True, check=False).returncode == SSH_FAILED:
            assert time.monotonic() < deadline, f"{address} never let us in"
            time.sleep(0.2)
        if packed:
            with packed.open("rb") as archive:
                subprocess.run([*ssh, "sudo tar -xf - -C /"], stdin=archive, check=True)
        done = subprocess.run(
            [*ssh, "sudo sh -eu"], input=script, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
