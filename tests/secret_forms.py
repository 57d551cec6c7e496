"""Secrets in 65 forms and places, made at run time: no value is in this repository.

Each is one that a machine image may hold by mistake. They were written before the rules were made to find them.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import lzma
import random
import sqlite3
import string
import struct
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

if TYPE_CHECKING:
    from collections.abc import Iterator

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BEGIN = "-----BEGIN "

OUT_OF_REACH: frozenset[str] = frozenset()
"""Forms that no rule finds; docs/secrets.md has the reasons."""


@dataclass(frozen=True)
class Secret:
    """A file that holds a secret.

    Attributes:
        form: What it is, as a test's name.
        path: Where, without the first slash.
        content: The file's bytes.
    """

    form: str
    path: str
    content: bytes


class Values:
    """Values that look as real ones do.

    Args:
        seed: The same seed makes the same values, but for keys.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # no secret of anybody

    def of(self, letters: str, length: int) -> str:
        """Letters at random, digits among them."""
        return "".join(self._random.choice(letters) for _ in range(length - 2)) + letters[-1] + letters[-3]

    def word(self, length: int = 18) -> str:
        """A password."""
        return self.of(LETTERS, length)

    def base64(self, length: int) -> str:
        """Bytes at random, in base64."""
        return base64.b64encode(self._random.randbytes(length)).decode()

    def aws(self) -> tuple[str, str]:
        """An access key and its secret."""
        return "AKIA" + self.of(BASE32, 16), self.of(LETTERS + "/+", 40)

    def jwt(self) -> str:
        """A signed token."""
        parts = ('{"alg":"HS256","typ":"JWT"}', '{"sub":"deployer","iat":1731000000,"role":"admin"}')
        head, body = (base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
        return f"{head}.{body}." + self.of(LETTERS, 43)


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: forms.PrivateFormat) -> str:
    return key.private_bytes(forms.Encoding.PEM, form, forms.NoEncryption()).decode()


def _der(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, form: forms.PrivateFormat) -> bytes:
    return key.private_bytes(forms.Encoding.DER, form, forms.NoEncryption())


def _tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _deb(conf: bytes) -> bytes:
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": _tar({"./control": b"Package: own\n"}, "w:xz"),
        "data.tar.xz": _tar({"./etc/own.conf": conf}, "w:xz"),
    }
    out = b"!<arch>\n"
    for name, content in parts.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        out += b"\n" * (len(content) % 2)
    return out


def _database(value: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        database = sqlite3.connect(path)
        database.execute("create table settings (name text, value text)")
        database.execute("insert into settings values ('token', ?)", (value,))
        database.commit()
        database.close()
        return path.read_bytes()


def _git_pack(content: bytes) -> bytes:
    size, kind = len(content), 3
    first, size = (kind << 4) | (size & 15), size >> 4
    header = bytearray()
    while size:
        header.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    header.append(first)
    return b"PACK" + struct.pack(">II", 2, 1) + bytes(header) + zlib.compress(content) + bytes(20)


def _pgp(values: Values) -> bytes:
    material = b"\x04" + struct.pack(">I", 1_700_000_000) + b"\x01" + base64.b64decode(values.base64(600))
    return b"\x95" + struct.pack(">H", len(material)) + material


def _jks(values: Values) -> bytes:
    return struct.pack(">IIII", 0xFEEDFEED, 2, 1, 1) + b"\0\x03app" + base64.b64decode(values.base64(900))


def _keytab(values: Values) -> bytes:
    entry = b"\0\x02\0\x0bEXAMPLE.ORG\0\x04host\0\x03web" + base64.b64decode(values.base64(40))
    return b"\x05\x02" + struct.pack(">i", len(entry)) + entry


def _keys(values: Values) -> Iterator[Secret]:
    a, b = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    old, new = forms.PrivateFormat.TraditionalOpenSSL, forms.PrivateFormat.PKCS8
    openssh = ed25519.Ed25519PrivateKey.generate().private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption()
    )
    one_line = _pem(a, new).replace("\n", "\\n")
    store = pkcs12.serialize_key_and_certificates(b"app", a, None, None, forms.NoEncryption())
    ppk = f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: app\nPublic-Lines: 2\n{values.base64(51)}\n"
    wrapped = base64.b64encode(_pem(a, old).encode()).decode()
    yield Secret("rsa-pem", "etc/ssl/private/app.pem", _pem(a, old).encode())
    yield Secret("ec-pem", "etc/pki/app/key.pem", _pem(b, old).encode())
    yield Secret("pkcs8-pem", "usr/share/app/tls.txt", _pem(a, new).encode())
    yield Secret("openssh", "var/lib/deploy/keys/robot", openssh)
    yield Secret("pkcs8-der", "opt/app/tls/server.bin", _der(a, new))
    yield Secret("ec-der", "opt/app/tls/ec", _der(b, old))
    yield Secret("rsa-der", "opt/app/tls/rsa", _der(a, old))
    yield Secret("pkcs12", "opt/app/store", store)
    yield Secret("jks", "opt/app/trust", _jks(values))
    yield Secret("keytab", "etc/http.kt", _keytab(values))
    yield Secret("pgp-packet", "srv/backup/ring", _pgp(values))
    armored = base64.b64encode(_pgp(values)).decode()
    block = f"{BEGIN}PGP PRIVATE KEY BLOCK-----\n\n{armored}\n-----END PGP PRIVATE KEY BLOCK-----\n"
    yield Secret("pgp-armored", "srv/backup/export.asc", block.encode())
    yield Secret("ppk", "usr/local/share/robot.ppk", f"{ppk}Private-Lines: 1\n{values.base64(36)}\n".encode())
    yield Secret("pem-in-one-line", "srv/app/signing.env", f'SIGNING="{one_line}"\n'.encode())
    yield Secret("pem-in-base64", "srv/k8s/tls.yaml", f"kind: Secret\ndata:\n  tls.key: {wrapped}\n".encode())
    yield Secret(
        "wireguard",
        "etc/systemd/network/wg0.netdev",
        f"[WireGuard]\nPrivateKey = {values.base64(32)}\n".encode(),
    )
    age = "AGE-SECRET-KEY-1" + values.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)
    yield Secret("age", "etc/sops/keys.txt", f"# created: 2026-01-01\n{age}\n".encode())
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": values.of(LETTERS, 43),
        "y": values.of(LETTERS, 43),
        "d": values.of(LETTERS, 43),
    }
    yield Secret("jwk", "etc/app/signing.json", json.dumps({"keys": [jwk]}).encode())


def _texts(values: Values) -> Iterator[tuple[str, str, str]]:
    key, secret = values.aws()
    forge, lab = "ghp_" + values.of(LETTERS, 36), "glpat-" + values.of(LETTERS, 20)
    auth = base64.b64encode(f"robot:{values.word()}".encode()).decode()
    yield (
        "aws-profile",
        "etc/profile.d/cloud.sh",
        f"export AWS_ACCESS_KEY_ID={key}\nexport AWS_SECRET_ACCESS_KEY={secret}\n",
    )
    yield (
        "aws-secret-alone",
        "var/lib/ci/upload.ini",
        f"[default]\naws_secret_access_key = {values.aws()[1]}\n",
    )
    yield (
        "git-config",
        "srv/app/.git/config",
        f'[remote "origin"]\n\turl = https://oauth2:{lab}@git.example.org/a/b.git\n',
    )
    yield (
        "forge-token",
        "usr/local/bin/deploy",
        f"#!/bin/sh\ncurl -H 'Authorization: token {forge}' https://api.example.org\n",
    )
    yield "npmrc", "srv/app/.npmrc", f"//registry.example.org/:_authToken={values.word(36)}\n"
    yield (
        "pypirc",
        "var/lib/ci/.pypirc",
        f"[own]\nrepository = https://example.org\nusername = robot\npassword = {values.word()}\n",
    )
    yield (
        "docker",
        "var/lib/ci/.docker/config.json",
        json.dumps({"auths": {"registry.example.org": {"auth": auth}}}),
    )
    yield (
        "kubeconfig",
        "etc/rancher/cluster.yaml",
        f"users:\n- name: admin\n  user:\n    token: {values.word(54)}\n",
    )
    yield "netrc", "var/lib/ci/.netrc", f"machine git.example.org login robot password {values.word()}\n"
    yield "pgpass", "var/lib/app/.pgpass", f"db.example.org:5432:app:app:{values.word()}\n"
    yield "mysql", "etc/mysql/conf.d/client.cnf", f"[client]\nuser=app\npassword={values.word()}\n"
    yield "htpasswd", "etc/nginx/users", f"admin:$apr1${values.of(LETTERS, 8)}${values.of(LETTERS, 22)}\n"
    yield (
        "shadow",
        "etc/shadow",
        f"root:*:19000:0:99999:7:::\nops:$y$j9T${values.of(LETTERS, 22)}${values.of(LETTERS, 43)}:19000:0:99999:7:::\n",
    )
    yield (
        "apt-source",
        "etc/apt/sources.list.d/own.list",
        f"deb https://robot:{values.word()}@apt.example.org stable main\n",
    )
    yield (
        "wpa-supplicant",
        "etc/wpa_supplicant/wpa_supplicant.conf",
        f'network={{\n\tssid="office"\n\tpsk="{values.word(12)}"\n}}\n',
    )
    yield "shell-history", "var/lib/app/.bash_history", f"ls\nmysql -u root -p{values.word()} app\n"
    yield (
        "systemd-unit",
        "etc/systemd/system/app.service",
        f'[Service]\nEnvironment="DB_PASSWORD={values.word()}"\nExecStart=/opt/app/run\n',
    )
    yield (
        "user-data",
        "var/lib/cloud/seed/nocloud/user-data",
        f"#cloud-config\npassword: {values.word(12)}\nchpasswd: {{expire: false}}\n",
    )
    yield "environ", "opt/app/environ", f"HOME=/srv\0APP_TOKEN={values.word(32)}\0LANG=C\0"
    yield (
        "cron-d",
        "etc/cron.d/dump",
        f"0 3 * * * postgres PGPASSWORD={values.word()} pg_dump app > /srv/dump\n",
    )
    yield (
        "crontab",
        "var/spool/cron/crontabs/root",
        f"5 * * * * curl -u robot:{values.word()} https://example.org/ping\n",
    )
    state = {
        "version": 4,
        "resources": [
            {"type": "aws_db_instance", "instances": [{"attributes": {"password": values.word()}}]}
        ],
    }
    yield "terraform-state", "srv/infra/terraform.tfstate", json.dumps(state)
    yield "vault-password", "etc/ansible/vault_pass.txt", values.word(24) + "\n"
    yield (
        "java-properties",
        "opt/app/application.properties",
        f"spring.datasource.username=app\nspring.datasource.password={values.word()}\n",
    )
    yield "php", "var/www/site/wp-config.php", f"<?php\ndefine( 'DB_PASSWORD', '{values.word()}' );\n"
    yield "dot-env", "srv/app/.env", f"DATABASE_URL=postgres://app:{values.word()}@db.example.org/app\n"
    yield "jwt", "etc/app/session", values.jwt() + "\n"
    yield (
        "azure",
        "var/www/web.config",
        f'<add connectionString="DefaultEndpointsProtocol=https;AccountName=own;AccountKey={values.base64(64)}" />\n',
    )
    yield (
        "tomcat",
        "etc/tomcat9/tomcat-users.xml",
        f'<user username="admin" password="{values.word(14)}" roles="manager-gui"/>\n',
    )
    yield "sasl", "etc/postfix/relay", f"[smtp.example.org]:587 robot:{values.word()}\n"
    yield "ldap", "etc/sssd/sssd.conf", f"[domain/own]\nldap_default_authtok = {values.word()}\n"
    yield "rails", "srv/rails/config/master.key", values.of(HEX, 32)
    yield (
        "agent-api-key",
        "etc/datadog-agent/datadog.yaml",
        f"api_key: {values.of(HEX, 32)}\nsite: example.org\n",
    )


def _wrapped(values: Values) -> Iterator[Secret]:
    def conf() -> bytes:
        return f"[app]\naccess_key = {values.aws()[0]}\n".encode()

    token = (
        "xoxb-"
        + values.of(string.digits, 12)
        + "-"
        + values.of(string.digits, 12)
        + "-"
        + values.of(LETTERS, 24)
    )
    yield Secret(
        "utf-16",
        "opt/app/settings.ini",
        ("\ufeff[db]\r\nPassword=" + values.word() + "\r\n").encode("utf-16-le"),
    )
    yield Secret("latin-1", "etc/app/caf\u00e9.conf", "# le caf\u00e9\n".encode("latin-1") + conf())
    yield Secret("tar-gz", "srv/backup/etc.tgz", _tar({"etc/app.conf": conf()}))
    yield Secret("jar", "opt/app/app.jar", _zip({"META-INF/MANIFEST.MF": b"", "app.properties": conf()}))
    yield Secret("gz", "var/log/app/old.log.gz", gzip.compress(b"started\n" + conf()))
    yield Secret("xz", "srv/dump.xz", lzma.compress(b"-- dump\n" + conf()))
    yield Secret("deb", "opt/packages/own.deb", _deb(conf()))
    yield Secret("wheel", "opt/wheels/own-1-py3-none-any.whl", _zip({"own/settings.py": conf()}))
    yield Secret("nested", "srv/backup/all.tar", _tar({"a/app.zip": _zip({"app.conf": conf()})}, "w:"))
    yield Secret("sqlite", "var/lib/app/app.db", _database(token))
    yield Secret(
        "binary",
        "usr/local/bin/agent",
        b"\x7fELF\2\1\1" + bytes(9) + conf().replace(b"\n", b"\0") + bytes(64),
    )
    blob = b"blob 70\0" + conf()
    yield Secret("git-object", "srv/app/.git/objects/3f/" + values.of(HEX, 38), zlib.compress(blob))
    yield Secret("git-pack", "srv/site/.git/objects/pack/pack-1.pack", _git_pack(conf() * 3))
    yield Secret(
        "rpm-built-here",
        "opt/packages/own.cpio.gz",
        gzip.compress(b"070701" + b"0" * 104 + b"own.conf\0\0" + conf()),
    )


def secrets(seed: int) -> list[Secret]:
    """All of them; the same seed makes the same values, but for keys."""
    values = Values(seed)
    texts = [Secret(form, path, text.encode()) for form, path, text in _texts(values)]
    return [*_keys(values), *texts, *_wrapped(values)]


def lay(root: Path, seed: int) -> list[Secret]:
    """Write them all below `root`."""
    made = secrets(seed)
    for secret in made:
        path = root / secret.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(secret.content)
    return made
