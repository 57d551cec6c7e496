"""Findings name file, line and rule, never the secret; false alarms are forgiven with a reason."""

import io
import tarfile
from pathlib import Path

import pytest

from pipeline import secretscan
from pipeline.errors import PipelineError
from pipeline.secretscan import Allowed, Finding
from pipeline.validation import imagescan

TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----\nabc\n"
KEY = "ssh-ed25519 AAAAmine"


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("etc/app.key", PEM.encode(), "Private Key"),
        ("etc/environment", f"AWS_ACCESS_KEY_ID={TOKEN}\n".encode(), "AWS Access Key"),
        ("etc/krb5", b"\x05\x02\x00", "Kerberos Keytab"),
        ("root/.netrc", b"machine x", "Netrc"),
        ("home/admin/.bash_history", b"sudo -i", "Shell History"),
        ("root/.ssh/authorized_keys", b"ssh-ed25519 AAAAother packer\n", "Authorized Key"),
        ("tmp/x", b"", "Temporary File"),
        ("home/admin/notes.txt", b"", "Leftover File"),
    ],
)
def test_found_on_a_machine(name: str, content: bytes, rule: str) -> None:
    found = imagescan._findings(archive({name: content}), KEY)
    assert [(finding.file, finding.rule) for finding in found] == [(name, rule)]
    assert TOKEN not in str(found)


def test_what_a_machine_may_have() -> None:
    files = {
        "root/.ssh/authorized_keys": f'command="echo no" {KEY} user\n# comment\n'.encode(),
        "home/admin/.bashrc": b"alias ll='ls -l'\n",
        "home/admin/.bash_history": b"",
        "etc/nginx/nginx.conf": b"user www-data;\n",
    }
    assert imagescan._findings(archive(files), KEY) == []


def test_found_in_sources(tmp_path: Path) -> None:
    role = tmp_path / "ansible/roles/web/defaults/main.yml"
    role.parent.mkdir(parents=True)
    role.write_text('web_password: "Kq7wX2mPz9LrT4v"\nother: "{{ web_password }}"\n')
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "test_x.py").write_text(f"key = '{TOKEN}'\n")
    found = secretscan.scan_sources(tmp_path, [])
    assert found == [Finding("ansible/roles/web/defaults/main.yml", 1, "Secret Keyword")]
    allowed = [Allowed("ansible/roles/*/defaults/main.yml", "Secret Keyword", "an example")]
    assert secretscan.scan_sources(tmp_path, allowed) == []
    assert secretscan.scan_sources(tmp_path, [Allowed("*", "Private Key", "another rule")]) == found


@pytest.mark.parametrize(
    "text", ["- file: x\n  rule: y\n", "- file: x\n  rule: y\n  reason: ''\n", "file: x\n", "- [\n"]
)
def test_an_allow_list_without_reasons_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "allowed.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError, match="allow-list of secrets cannot be read"):
        secretscan.read_allowed(path)


def test_no_allow_list(tmp_path: Path) -> None:
    assert secretscan.read_allowed(tmp_path / "none.yaml") == []
    assert secretscan.read_allowed() == []
