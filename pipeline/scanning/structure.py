"""Secrets that are not text: recognised by a file's first bytes, by its name, by the place where it lies."""

from __future__ import annotations

import fnmatch
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.scanning.machinefiles import MachineFile

MAGIC = (
    ("Kerberos Keytab", re.compile(rb"\x05\x02")),  # MIT Kerberos, keytab file format
    ("Kerberos Credentials", re.compile(rb"\x05[\x03\x04]")),  # its credential cache file format
    ("Java Key Store", re.compile(rb"\xfe\xed\xfe\xed|\xce\xce\xce\xce")),
    ("PKCS12 Key Store", re.compile(rb"\x30[\x80-\x84].{0,4}?\x02\x01\x03\x30", re.DOTALL)),  # RFC 7292, PFX
    # PKCS #1 (two primes), SEC 1, PKCS #8: DER, version first.
    ("Private Key", re.compile(rb"\x30\x82..\x02\x01\x00\x02\x82|\x30[\x25-\x81].?\x02\x01\x01\x04", re.DOTALL)),
    ("Private Key", re.compile(rb"\x30[\x2e-\x82].{0,2}?\x02\x01\x00\x30.?[\x05-\x1f]?\x06", re.DOTALL)),
    ("Private Key", re.compile(rb"\((?:\d+:)?(?:protected-|shadowed-)?private-key")),  # libgcrypt
    ("Private Key", re.compile(rb"Key: \((?:protected-)?private-key")),
    # RFC 9580, secret-key packet, old and new format, versions 3 to 6.
    ("PGP Secret Key", re.compile(rb"(?:\x94.|\x95..|\x96....)[\x03-\x06]", re.DOTALL)),
    ("PGP Secret Key", re.compile(rb"\xc5(?:[\x00-\xbf]|[\xc0-\xdf].|\xff....)[\x03-\x06]", re.DOTALL)),
    ("LUKS Key Volume", re.compile(rb"LUKS\xba\xbe")),
)  # fmt: skip

CREDENTIAL_FILES = (
    "*.keytab", "*/.netrc", "*/.pgpass", "*/.my.cnf", "*/.mylogin.cnf", "*/.git-credentials", "*/.htpasswd",
    "*/htpasswd", "*/.dockercfg", "*/.aws/credentials", "*/.kube/config", "*/kubeconfig",
    "*/.vault-token", "*/.config/gcloud/credentials.db", "*/application_default_credentials.json",
    "*/.azure/accessTokens.json", "*/.azure/msal_token_cache.*", "*/.pypirc", "*/.gem/credentials",
    "*.tfstate", "*.tfstate.backup", "*/.terraform.d/credentials.tfrc.json", "*/.rclone.conf", "*/rclone.conf",
    "*/.s3cfg", "*/.boto", "*/.smbcredentials", "*/sasl_passwd", "*/munge.key", "*/chap-secrets", "*/pap-secrets",
    "*/.ansible_vault_pass*", "*/.vault_pass*", "*/vault_pass*", "*/vault-pass*", "*/rndc.key",
    "*/config/master.key", "*/config/credentials/*.key", "*/.config/gh/hosts.yml", "*/.config/glab-cli/config.yml",
    "*/.msmtprc", "*/.esmtprc", "*/.fetchmailrc", "*/wallet.dat", "*/.composer/auth.json", "/etc/apt/auth.conf",
    "/etc/apt/auth.conf.d/*", "*.kdbx", "*.ovpn", "/etc/wireguard/*.conf",
    # rsyncd.secrets and the like; elsewhere a program may be called app_secrets.
    "*.secrets", "/etc/*_secrets", "/etc/*-secrets",
)  # fmt: skip
"""Files that exist for credentials; empty ones hold none."""

SETTINGS_FILES = (
    (
        "*/.npmrc",
        re.compile(rb"""^[^#;\n]*_(?:auth|authToken|password)\s*=\s*(?!["']?\$\{)\S""", re.MULTILINE),
    ),
    ("*/.docker/config.json", re.compile(rb'"(?:auth|identitytoken|registrytoken|password)"\s*:\s*"[^"]')),
)
"""Files of settings, and what makes them one of credentials; the name of a variable or a helper does not count."""

SKELETON = (
    ".bashrc", ".bash_logout", ".bash_profile", ".profile", ".cshrc", ".tcshrc", ".zshrc",
    # What a login leaves on Ubuntu.
    ".cache/motd.legal-displayed", ".sudo_as_admin_successful",
)  # fmt: skip
"""What a home folder begins with; authorized_keys have a rule of their own."""

HISTORIES = re.compile(r"\.\w+_history|fish_history|\.lesshst|\.histfile")


def kind(file: MachineFile, text: bytes) -> Iterator[str]:
    """Names of the rules that a file breaks wherever it is.

    Args:
        file: The file.
        text: What can be read of it.
    """
    yield from sorted({rule for rule, magic in MAGIC if magic.match(file.head)})
    path = "/" + file.path
    if (file.size and any(fnmatch.fnmatchcase(path, form) for form in CREDENTIAL_FILES)) or any(
        fnmatch.fnmatchcase(path, form) and credential.search(text) for form, credential in SETTINGS_FILES
    ):
        yield "Netrc" if PurePosixPath(file.path).name == ".netrc" else "Credential File"


def rules(file: MachineFile, text: bytes, key: str) -> Iterator[str]:
    """Names of the rules that a file of a machine breaks.

    Args:
        file: The file.
        text: What can be read of it.
        key: The public key that the instance's user may have, as authorized_keys has it.
    """
    name = PurePosixPath(file.path)
    yield from kind(file, text)
    if file.inside:
        return
    if HISTORIES.fullmatch(name.name):
        if text.strip():
            yield "Shell History"
    elif name.name in {"authorized_keys", "authorized_keys2"}:
        if any(_is_foreign(line, key) for line in text.decode(errors="replace").splitlines()):
            yield "Authorized Key"
    elif name.parts[0] == "tmp" or name.parts[:2] == ("var", "tmp"):
        yield "Temporary File"
    elif _in_home(name) not in (None, *SKELETON):
        yield "Leftover File"


def _in_home(name: PurePosixPath) -> str | None:
    """The path below a home folder; None for a file elsewhere."""
    if name.parts[0] == "root":
        return "/".join(name.parts[1:])
    return "/".join(name.parts[2:]) if name.parts[0] == "home" else None


def _is_foreign(line: str, key: str) -> bool:
    """Whether a line of authorized_keys lets in anybody but the instance's own key."""
    words = line.strip()
    return bool(words) and not words.startswith("#") and key.split()[1] not in words
