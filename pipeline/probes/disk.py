"""The files of a machine's disk, and which of them are as a package brought them.

Runs on the machine, with its own Python (3.6 or later). A file that is byte for byte what a package brought is its
distributor's: Debian's md5sums and conffiles, the digests of signed RPM packages, pip's RECORD of what came from an
index. Everything else is what this image is made of.
"""

from __future__ import annotations

import base64
import codecs
import csv
import hashlib
import os
import re
import struct
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 20
DISK_TYPES = {"ext2", "ext3", "ext4", "xfs", "btrfs", "vfat", "f2fs"}
DPKG = "/var/lib/dpkg"
PYC_HEADER = 16  # PEP 552: magic, flags, the source's mtime and size
ALGORITHMS = {
    "(none)": "md5",
    "0": "md5",
    "1": "md5",
    "2": "sha1",
    "8": "sha256",
    "9": "sha384",
    "10": "sha512",
}
"""RPM's numbers (RFC 4880, 9.4) to hashlib's names."""

# The standard way to a package's signature, as `rpm -qi` prints it; one line a package, one a file.
RPM_FORMAT = (
    "P %|DSAHEADER?{1}:{%|RSAHEADER?{1}:{%|SIGGPG?{1}:{%|SIGPGP?{1}:{0}|}|}|}| %{FILEDIGESTALGO}\\n"
    "[F %{FILEDIGESTS} %{FILENAMES}\\n]"
)

# What a machine makes for itself at boot; user data is not a secret of the image.
MADE_AT_BOOT = re.compile(
    rb"/etc/ssh/ssh_host_[^/]+_key(\.pub)?$|/(var/)?tmp/systemd-private-|/tmp/\.[^/]*-unix(/|$)"
)


class Owned:
    """Digests of what packages brought, by path."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.digests: dict[str, set[tuple[str, str]]] = {}
        self._folders: dict[str, str] = {}

    def add(self, path: str, algorithm: str, digest: str) -> None:
        """One file; its folder may be a link, as /lib is one to /usr/lib."""
        folder, name = os.path.split("/" + path.lstrip("/"))
        if folder not in self._folders:
            real = os.path.realpath(self.root + folder)
            self._folders[folder] = real[len(self.root) :].rstrip("/")
        self.digests.setdefault(f"{self._folders[folder]}/{name}", set()).add((algorithm, digest))

    def dpkg(self) -> None:
        """What dpkg knows: md5sums of each package, and configuration files as they were delivered."""
        folder = self.root + DPKG + "/info"
        names = os.listdir(folder) if os.path.isdir(folder) else []
        for name in names:
            if name.endswith(".md5sums"):
                for line in _lines(f"{folder}/{name}"):
                    digest, _, path = line.partition("  ")
                    self.add(path, "md5", digest)
        conffile = re.compile(r"^ (/.+) ([0-9a-f]{32})( obsolete)?$")
        for line in _lines(self.root + DPKG + "/status"):
            found = conffile.match(line)
            if found:
                self.add(found.group(1), "md5", found.group(2))
        diverted = _lines(self.root + DPKG + "/diversions")
        for old, new, _ in zip(diverted, diverted, diverted):
            for algorithm, digest in list(self.digests.get(old, ())):
                self.add(new, algorithm, digest)

    def rpm(self) -> None:
        """What RPM knows of the packages that somebody signed: an unsigned one is somebody's own."""
        try:
            done = subprocess.Popen(
                ["rpm", "-qa", "--queryformat", RPM_FORMAT], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            return
        signed, algorithm = False, ""
        for raw in done.stdout or ():
            words = raw.decode("utf-8", "surrogateescape").rstrip("\n").split(" ", 2)
            kind, one, two = [*words, "", ""][:3]
            if kind == "P":
                signed, algorithm = one == "1", ALGORITHMS.get(two, "")
            elif kind == "F" and signed and algorithm and one:
                self.add(two, algorithm, one)
        if done.wait() != 0:
            raise SystemExit("rpm -qa failed with exit status %d" % done.returncode)

    def pip(self, record: str) -> None:
        """What pip installed from an index; a direct_url.json says that it came from a folder or a repository."""
        if os.path.exists(os.path.join(os.path.dirname(record), "direct_url.json")):
            return
        base = os.path.dirname(os.path.dirname(record))[len(self.root) :]
        with open(record, encoding="utf-8", errors="surrogateescape", newline="") as text:
            for row in csv.reader(text):
                if len(row) > 1 and row[1].startswith("sha256="):
                    code = row[1][len("sha256=") :]
                    digest = base64.urlsafe_b64decode(code + "=" * (-len(code) % 4)).hex()
                    self.add(os.path.normpath(os.path.join(base, row[0])), "sha256", digest)

    def has(self, path: str) -> bool:
        """Whether the file is what a package brought, byte for byte."""
        wanted = self.digests.get(path[len(self.root) :])
        if not wanted:
            return False
        hashes = {algorithm: hashlib.new(algorithm) for algorithm, _ in wanted}
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                for one in hashes.values():
                    one.update(chunk)
        digests = {(name, one.hexdigest()) for name, one in hashes.items()}
        return any(one in wanted for one in digests)


def _lines(path: str) -> Iterator[str]:
    if os.path.exists(path):
        with open(path, encoding="utf-8", errors="surrogateescape") as text:
            for line in text:
                yield line.rstrip("\n")


def compiled(path: str) -> bool:
    """Whether this is Python's own translation of a source in the same place, which is looked at itself."""
    folder, name = os.path.split(path)
    parent, cache = os.path.split(folder)
    if cache != "__pycache__" or not name.endswith(".pyc"):
        return False
    try:
        source = os.stat(os.path.join(parent, name.split(".", 1)[0] + ".py"))
        with open(path, "rb") as file:
            head = file.read(PYC_HEADER)
    except OSError:
        return False
    if len(head) < PYC_HEADER:
        return False
    flags, mtime, size = struct.unpack("<III", head[4:])
    unchanged = (mtime, size) == (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    return bool(flags == 0 and unchanged)


def roots(root: str) -> list[str]:
    """Where file systems of the machine's disks begin."""
    found = [root or "/"]
    if not root:
        for line in _lines("/proc/self/mounts"):
            source, point, kind = line.split(" ")[:3]
            # A loop device is a file of the disk, and read-only: a snap.
            if kind in DISK_TYPES and source.startswith("/dev/") and not source.startswith("/dev/loop"):
                found.append(codecs.decode(point, "unicode_escape"))
    return found


def regular_files(root: str) -> list[str]:
    """Every regular file, each file system once."""
    machine_id = next(_lines(root + "/etc/machine-id"), "-")
    own = {f"{root}/var/log/journal/{machine_id}"}
    instance = f"{root}/var/lib/cloud/instance"
    if os.path.islink(instance):
        own.add(os.path.realpath(instance))
    files: list[str] = []
    devices = set()
    for start in roots(root):
        # A single file may be a mount, too.
        if not os.path.isdir(start) or os.lstat(start).st_dev in devices:
            continue
        device = os.lstat(start).st_dev
        devices.add(device)
        todo = [start]
        while todo:
            for entry in entries(todo.pop()):
                if entry.is_dir(follow_symlinks=False):
                    if entry.path not in own and entry.stat(follow_symlinks=False).st_dev == device:
                        todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    path = entry.path[len(root) :].encode("utf-8", "surrogateescape")
                    if not MADE_AT_BOOT.match(path):
                        files.append(entry.path)
    return files


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing if it is gone since."""
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []
