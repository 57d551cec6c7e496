"""Runs on a machine, as root: the small files that could be this machine's identity, and that no package owns.

Handed to the machine's own Python (3.6 or later) by `onmachine`, with `disk`. Prints a list as JSON: path, why the
file counts as an identity, hash of its content. The content itself stays on the machine. ROOT is a folder to look at
instead of /, for tests.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import sys

from pipeline.probes.disk import Owned, regular_files

LARGEST = 16384
SHORTEST_WORD = 7  # of the builder's name or ids
BUILDER = "/usr/lib/golden-image/builder-identity"
UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
FORMS = (
    ("a UUID", re.compile(r"\{?%s\}?$" % UUID, re.IGNORECASE)),
    ("32 hexadecimal digits", re.compile(r"[0-9a-f]{32}$", re.IGNORECASE)),
    ("an iSCSI or NVMe name", re.compile(r"(?:InitiatorName=)?(?:iqn|nqn)\.\d{4}-\d\d\.\S+$", re.IGNORECASE)),
    ("a DUID or MAC address", re.compile(r"(?:[0-9a-f]{2}:){5,}[0-9a-f]{2}$", re.IGNORECASE)),
    ("an instance id", re.compile(r"i-[0-9a-f]{8,17}$")),
    ("a UUID", re.compile(r"[\w.-]*u?uid[\w.-]*\s*[=:]\s*[\"']?%s[\"']?$" % UUID, re.IGNORECASE)),
)
"""The content of a file that holds only an id."""

KEYED = re.compile(
    r"(?:machine|host|node|agent|device|server|minion|system|daemon|engine|sensor|collector|installation|install|instance)"
    r"[\w.-]{0,12}(?:id|uuid|guid)[\"']?\s*[=:]\s*[\"']?(?:%s|(?=[a-f]*\d)[0-9a-f]{12,64})\b"
    r"|duid\w*\s*[=:]\s*(?:[0-9a-f]{2}:){5,}[0-9a-f]{2}\b" % UUID,
    re.IGNORECASE,
)
CODE = (
    ".js",
    ".mjs",
    ".ts",
    ".map",
    ".py",
    ".rb",
    ".go",
    ".php",
    ".java",
    ".css",
    ".html",
    ".md",
    ".sql",
    ".sh",
)
"""Files in which a key with an id is somebody's example."""

BARE = re.compile(
    r"(?:\A|[\"'{,\s])[\"']?(?:uuid|guid|id)[\"']?\s*[=:]\s*[\"']?(?:%s|[0-9a-f]{32})\b" % UUID, re.IGNORECASE
)
"""In the folders where programs keep what they know of themselves."""

ID_NAME = re.compile(
    r"(?:.*[._-])?(?:machine|host|node|agent|minion|instance|device|server|system|unique)[._-]?(?:id|uuid|guid)$"
    r"|(?:.*[._-])?(?:uuid|duid|guid)$|\.?id$",
    re.IGNORECASE,
)
"""Not a BUILD_ID, nor the id of a cluster or a project."""

NAMED = (
    "/etc/hostid", "/etc/iscsi/initiatorname.iscsi", "/etc/nvme/hostnqn", "/etc/nvme/hostid", "/etc/salt/minion_id",
    "/etc/salt/pki/minion/minion.p*", "/etc/docker/key.json", "/var/lib/docker/engine-id",
    "/var/lib/zerotier-one/identity.*", "/var/lib/tailscale/*.state", "/var/lib/NetworkManager/secret_key",
    "/var/lib/NetworkManager/*lease*", "/var/lib/NetworkManager/*duid*", "*/dhcp6c_duid", "*/duid", "*/dhcpcd.duid",
    "/var/lib/dhclient/*", "/var/lib/dhcp/*", "/etc/puppetlabs/puppet/ssl/*", "/var/lib/puppet/ssl/*",
    "/etc/puppet/ssl/*", "/etc/chef/client.pem", "*/falconstore", "/var/ossec/etc/client.keys",
    "/var/lib/mysql/auto.cnf", "/var/lib/amazon/ssm/Vault/Store/*", "/var/lib/teleport/host_uuid",
    "/var/lib/systemd/credential.secret", "/var/lib/systemd/random-seed", "/var/lib/unbound/unbound_*.key",
    "/etc/unbound/unbound_*.key", "/var/lib/rhsm/facts/*", "/etc/sysconfig/rhn/systemid", "/etc/sssd/*.keytab",
    "/etc/krb5.keytab", "/var/lib/sss/secrets/*", "/var/lib/pve*/*.id", "/etc/pki/consumer/*",
    "/etc/netplan/*wireguard*", "/etc/wireguard/*", "/var/lib/fwupd/pki/*", "/var/lib/abrt/*",
    "/etc/popularity-contest.conf", "/var/lib/urandom/*", "/var/lib/rpm-state/*id",
)  # fmt: skip
"""Identities whose form says nothing: a name, random bytes, a store."""

NO_IDENTITY = re.compile(
    r"/(boot|efi|proc|sys|run|dev)/|/etc/(machine-id|machine-info|hosts|fstab|crypttab|hostname|kernel/.*|default/grub.*|mdadm/.*"
    r"|mdadm\.conf|lvm/.*|NetworkManager/system-connections/.*|sysconfig/network-scripts/.*)$|/var/lib/cloud/"
    r"|/var/log/|/var/cache/|/var/lib/(dpkg|apt|rpm|dnf|yum)/|/var/lib/amazon/ssm/(?!Vault/)"
    r"|/(node_modules|site-packages|dist-packages|\.git|vendor|fixtures|testdata|tests?)/|/usr/share/|/usr/lib/golden-image/"
)
"""The same on all machines by their nature (file systems, boot entries, connections), compared already, or code."""


def form(path: str, content: bytes) -> str:
    """Why a file counts as an identity; empty for one that does not."""
    if any(fnmatch.fnmatchcase(path, name) for name in NAMED):
        # Debian's iSCSI, before a name was needed.
        return "" if b"GenerateName=yes" in content else "known by its name"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"]
    name = os.path.basename(path)
    if len(lines) == 1:
        # A file that only proves who owns a domain has its own content for a name.
        for kind, pattern in FORMS:
            if pattern.match(lines[0]) and lines[0] not in name:
                return kind
        if ID_NAME.match(name) and re.match(r"(?=.*\d)\S{6,}$", lines[0]):
            return "an id by its name"
    if not name.endswith(CODE) and (
        KEYED.search(text) or (path.startswith("/var/lib/") and BARE.search(text))
    ):
        return "an id under a key"
    return ""


def of_builder(content: bytes, builder: dict[str, str]) -> str:
    """Which of the builder's values a file holds."""
    for word in set(re.split(rb"[\s\"'=,:;]+", content)):
        if len(word) >= SHORTEST_WORD and re.search(rb"\d", word):
            name = builder.get(hashlib.sha256(word + b"\n").hexdigest())
            if name:
                return name
    return ""


def builders(root: str) -> dict[str, str]:
    """Hash to name of what made the builder itself, but for what this machine has by right."""
    found: dict[str, str] = {}
    if os.path.isfile(root + BUILDER):
        with open(root + BUILDER) as text:
            pairs = [line.split(None, 1) for line in text if line.strip()]
        found = {value: name.strip() for value, name in pairs if name.strip() != "address"}
    # EC2 makes the name of the address, which comes back.
    found.pop(hashlib.sha256(os.uname().nodename.encode() + b"\n").hexdigest(), None)
    return found


def main(root: str) -> None:
    """Print them."""
    owned = Owned(root)
    owned.dpkg()
    owned.rpm()
    builder = builders(root)
    found = []
    for path in regular_files(root):
        name = path[len(root) :]
        if NO_IDENTITY.search(name) or (name in owned.digests and not name.startswith(("/etc/", "/var/"))):
            continue
        known = any(fnmatch.fnmatchcase(name, one) for one in NAMED)
        try:
            size = os.lstat(path).st_size
            if not size or (size > LARGEST and not known):
                continue
            with open(path, "rb") as file:
                content = file.read()
            own, why = of_builder(content, builder), form(name, content)
            if (own or why) and not owned.has(path):
                digest = hashlib.sha256(content).hexdigest()
                found.append({"path": name, "why": why, "builder": own, "hash": digest})
        except FileNotFoundError:  # gone since: a running machine
            continue
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(os.environ.get("ROOT", ""))
