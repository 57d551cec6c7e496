"""The lab's base image: a small Debian (or Ubuntu) with cloud-init, as a distributor's AMI would be.

Built once from the host's own package sources with mmdebstrap, and kept outside the checkout under a key
made of everything that went into it.

Usage: python3 -m lab.base_image: builds it if it is not there, with what apt and dpkg print meanwhile.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from pathlib import Path

from lab.errors import LabError
from tools import cache

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "libpam-systemd", "openssh-server", "sudo",
    "python3", "python3-apt", "cloud-init", "iproute2", "iputils-ping", "ca-certificates", "netbase",
    "procps",
)  # fmt: skip

LOGIN_USER = "admin"
"""The default user, as on Debian's own AMIs."""

CLOUD_CFG = f"""\
# The lab's part of cloud-init: where an EC2 machine would ask its metadata service, this one reads a
# seed that the lab writes at each boot. The network is the lab's (systemd-networkd).
datasource_list: [NoCloud]
network: {{config: disabled}}
# Without a name of its own in /etc/hosts every sudo would wait for a name server.
manage_etc_hosts: localhost
ssh_genkeytypes: [ed25519, ecdsa]
system_info:
  default_user:
    name: {LOGIN_USER}
    lock_passwd: true
    gecos: Default user
    groups: [adm, sudo]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
cloud_init_modules:
  - seed_random
  - bootcmd
  - write-files
  - set_hostname
  - update_hostname
  - update_etc_hosts
  - users-groups
  - ssh
cloud_config_modules:
  - runcmd
cloud_final_modules:
  - write-files-deferred
  - scripts-per-once
  - scripts-per-boot
  - scripts-per-instance
  - scripts-user
  - ssh-authkey-fingerprints
  - keys-to-console
  - final-message
  - power-state-change
"""

MASKED_UNITS = (
    "systemd-networkd-wait-online.service",  # waits for a link that is up before the machine starts
    "console-getty.service",  # the console is a pipe, read by GetConsoleOutput
    "systemd-udevd.service",  # a container has no devices of its own to manage
    "systemd-udevd-kernel.socket",
    "systemd-udevd-control.socket",
    "systemd-udev-trigger.service",
    "apt-daily.timer",  # would compete with a bake for apt's lock
    "apt-daily-upgrade.timer",
)


def host_release() -> tuple[str, str]:
    """Distribution and code name of this host, such as ``("debian", "bookworm")``.

    Raises:
        LabError: This is neither Debian nor Ubuntu.
    """
    info = platform.freedesktop_os_release()
    if info.get("ID") not in {"debian", "ubuntu"} or "VERSION_CODENAME" not in info:
        raise LabError(
            f"the lab's base image is made on Debian or Ubuntu; this host is {info.get('PRETTY_NAME')!r}",
            hint="use a Debian 12 or Ubuntu host",
        )
    return info["ID"], info["VERSION_CODENAME"]


def _sources() -> list[Path]:
    """The host's own apt source files (one-line and deb822), third-party ones left out."""
    folder = Path("/etc/apt/sources.list.d")
    names = [folder / "debian.sources", folder / "ubuntu.sources", Path("/etc/apt/sources.list")]
    found = [path for path in names if path.is_file() and re.search(r"(?m)^(deb|Types)", path.read_text())]
    if not found:
        raise LabError(
            "no apt package sources found on this host",
            hint=f"one of {', '.join(map(str, names))} must name this distribution's archive",
        )
    return found


def _apt_config() -> list[Path]:
    """Host settings that apt needs to reach its archive (a proxy, say); the machines get them as well."""
    folder = Path("/etc/apt/apt.conf.d")
    return [
        path for path in sorted(folder.glob("*"))
        if path.is_file() and re.search(r"^\s*Acquire::", path.read_text(errors="replace"), re.MULTILINE)
    ]  # fmt: skip


def key() -> str:
    """Key of the base image: this recipe, the release and the package sources."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update("/".join(host_release()).encode())
    for path in [*_sources(), *_apt_config()]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def ensure(*, echo: bool = False) -> Path:
    """The base image's folder; builds it first if this host has none yet (a few minutes, once).

    Args:
        echo: Whether what apt and dpkg print meanwhile is printed.

    Returns:
        Folder with the root file system, to be used read-only.

    Raises:
        LabError: The build failed; nothing half-made is taken for an image.
    """
    return cache.entry("base", key(), lambda folder: _build(folder, echo=echo)) / "root"


def _build(folder: Path, *, echo: bool) -> None:
    distribution, codename = host_release()
    print(f"lab: building the base image ({distribution} {codename}), once, some minutes …", file=sys.stderr)
    log = folder / "build.log"
    command = [
        "mmdebstrap", "--verbose", "--variant=minbase", "--include=" + ",".join(PACKAGES),
        '--aptopt=Apt::Install-Recommends "false"',
        *[f"--aptopt={path}" for path in _apt_config()],
        codename, str(folder / "root"), *map(str, _sources()),
    ]  # fmt: skip
    with (
        log.open("w") as output,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as building,
    ):
        assert building.stdout is not None  # it is a pipe
        for line in building.stdout:
            output.write(line)
            if echo:
                sys.stdout.write(line)
    if building.returncode != 0:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-8:])
        raise LabError(f"mmdebstrap could not build the base image:\n  {tail}", hint=f"the whole log: {log}")
    _customize(folder / "root")


def _customize(root: Path) -> None:
    (root / "etc/cloud/cloud.cfg.d/90_lab.cfg").write_text(CLOUD_CFG)
    units = root / "etc/systemd/system"
    for name in MASKED_UNITS:
        (units / name).symlink_to("/dev/null")
    subprocess.run(
        ["systemctl", f"--root={root}", "enable", "systemd-networkd.service"], check=True, capture_output=True
    )
    # An image has no identity: each machine makes its own at its first boot.
    (root / "etc/machine-id").write_text("")
    for path in [*(root / "etc/ssh").glob("ssh_host_*"), root / "var/lib/dbus/machine-id"]:
        path.unlink(missing_ok=True)
    (root / "etc/hostname").unlink(missing_ok=True)
    (root / "etc/resolv.conf").unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        ensure(echo=True)
    except LabError as error:
        sys.exit(str(error))
