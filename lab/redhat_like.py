"""A second source image that has what of Red Hat Enterprise Linux 9 gets in a bake's and a validation's way.

Debian underneath, and its name and description say so: a layer over the lab's base image with rsyslog and auditd
running, packages that own a private key and a file that looks like a password, a service that registers the
machine some time after boot, and a unit that fails on a small machine. What it cannot show is in docs/redhat.md.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from lab import base_image
from lab.errors import LabError
from tools import cache

RECIPE = Path(__file__).with_name("redhat")
"""The stand-ins' packages, and the script that builds and installs them in the layer."""

LOGIN_USER = "ec2-user"
"""The default user of Red Hat's images on AWS."""

CLOUD_CFG = f"""\
# After the lab's own file: the default user of Red Hat's images.
system_info:
  default_user:
    name: {LOGIN_USER}
    lock_passwd: true
    gecos: Cloud User
    groups: [adm, systemd-journal]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
"""

BUILD = """\
set -eu
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
cd "$2/root"
mount -t proc proc proc
mount --rbind /dev dev
cp --dereference /etc/resolv.conf etc/resolv.conf
cp -r "$3" root/build
chroot . /root/build/build.sh
rm -r etc/resolv.conf root/build
"""
"""Arguments: the base image's root, the entry's folder, the recipe. In a mount namespace of its own."""


ASKED = "etc/lab/registration-seconds"
"""Where a machine reads when to register."""

OWNER = "309956199498"
"""Red Hat's own account, the default of the template's source_image_owners."""

DESCRIPTION = "The lab's base image, Debian, with what of RHEL 9 gets in an image's way (docs/redhat.md)"

REGISTRATION_SECONDS = 120
"""When a machine registers after its boot, as on RHEL (INITIAL_DELAY_SECONDS in rhsmcertd.c)."""


def image_name() -> str:
    """What the image is called in the lab."""
    distribution, codename = base_image.host_release()
    return f"rhel-like-9-{distribution}-{codename}-amd64-lab"


def stack_values() -> dict[str, str]:
    """Keys of a stack file, and the values that select the image."""
    return {
        "source_image_name": image_name(),
        "source_image_owners": f'["{OWNER}"]',
        "ssh_username": LOGIN_USER,
        "sshUser": LOGIN_USER,
    }


def key() -> str:
    """Key of the layer: this recipe, and the base below it."""
    digest = hashlib.sha256(base_image.key().encode())
    for path in [Path(__file__), *sorted(path for path in RECIPE.rglob("*") if path.is_file())]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def image_id(registration_seconds: int) -> str:
    """Id of the image in the lab."""
    return "ami-" + hashlib.sha256(f"{key()} {registration_seconds}".encode()).hexdigest()[:17]


def ensure() -> Path:
    """The layer's folder; builds it first if this host has none yet (some ten seconds, once).

    Raises:
        LabError: The build failed; nothing half-made is taken for a layer.
    """
    return cache.entry("redhat-like", key(), _build) / "upper"


def _build(folder: Path) -> None:
    print("lab: building the base image like Red Hat's, once, some ten seconds …", file=sys.stderr)
    for part in ("upper", "work", "root"):
        (folder / part).mkdir()
    log = folder / "build.log"
    command = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        BUILD,
        "sh",
        str(base_image.ensure()),
        str(folder),
        str(RECIPE),
    ]
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-8:])
        raise LabError(
            f"the image like Red Hat's could not be built:\n  {tail}", hint=f"the whole log: {log}"
        )
    shutil.rmtree(folder / "work")
    (folder / "upper/etc/cloud/cloud.cfg.d").mkdir(parents=True, exist_ok=True)
    (folder / "upper/etc/cloud/cloud.cfg.d/95_redhat.cfg").write_text(CLOUD_CFG)
