"""Files that are credentials by their name, and secrets in places and forms where a scan easily looks past them."""

from pathlib import Path

import pytest

from tests.unit.pipeline.scanning.test_imagescan import PEM, fill, findings

PASSWORD = "Kq7wX2mPz9" + "LrT4v"


@pytest.mark.parametrize(
    "name",
    [
        "etc/ppp/chap-secrets", "etc/ipsec.secrets", "etc/rsyncd.secrets", "etc/cluster/node_secrets",
        "etc/munge/munge.key", "etc/apt/auth.conf", "etc/postfix/sasl_passwd", "var/lib/app/.htpasswd",
        "var/lib/app/.pgpass", "var/lib/ci/.git-credentials", "srv/infra/terraform.tfstate", "var/lib/ci/.kube/config",
    ],
)  # fmt: skip
def test_a_file_that_exists_for_credentials(tmp_path: Path, name: str) -> None:
    fill(tmp_path, {name: "one\n", f"srv/empty/{Path(name).name}": ""})
    assert ("credential-file", name) in findings(tmp_path)
    assert not [found for found in findings(tmp_path) if found[1].startswith("srv/empty")]


def test_a_program_that_is_named_after_secrets(tmp_path: Path) -> None:
    fill(tmp_path, {"usr/local/bin/git-secrets": "#!/bin/sh\n", "opt/app/fetch_secrets": "#!/bin/sh\n"})
    assert findings(tmp_path) == set()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("etc/ssl/certs/own.pem", f"{PEM}MIIEowIBAAKCAQEA{'abcdEFGH1234' * 6}\n"),
        ("usr/lib/systemd/system/own.service", f"[Service]\nEnvironment=DB_PASSWORD={PASSWORD}\n"),
        (
            "var/lib/systemd/coredump/core.app",
            b"\x7fELF" + bytes(20) + f"DB_PASSWORD={PASSWORD}".encode() + b"\0",
        ),
        ("usr/share/app/users.yaml", f'users:\n  - "password: {PASSWORD}"\n'),
        ("srv/app/main.py", f'client = connect(host, password="{PASSWORD}")\n'),
        ("etc/app.ini", f"[db]\n\tpassword\t=\t{PASSWORD}\n"),
        ("etc/app.conf", f"# password = {PASSWORD}\n"),
    ],
    ids=["certs", "unit", "core", "yaml-list", "call", "tab", "comment"],
)
def test_a_place_that_is_looked_at(tmp_path: Path, name: str, content: bytes | str) -> None:
    fill(tmp_path, {name: content})
    assert name in {file for _, file in findings(tmp_path)}
