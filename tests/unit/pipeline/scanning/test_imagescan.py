"""What is found on a machine. The machine is a folder, whose files the collector reads as it would a disk's."""

import base64
import hashlib
import os
import re
import subprocess
import sys
import tomllib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.results import FAILED
from pipeline.scanning import gitleaks, imagescan, machinefiles, secretscan
from pipeline.scanning.secretscan import Allowed

CLONE = Clone("i-1", "192.0.2.1")
KEY = "ssh-ed25519 AAAAmine"
BODY = base64.b64encode(bytes(range(60))).decode()
PEM = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{BODY}\n"
TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"


def md5(content: str) -> str:
    """As dpkg writes it."""
    return hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()


class Way:
    """A way in that leads into a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def stream(
        self, address: str, command: str, *, stdin: bytes, deadline: Deadline
    ) -> Iterator[Iterator[bytes]]:
        environment = {"PATH": os.environ["PATH"], "ROOT": str(self.root)}
        with subprocess.Popen(
            [sys.executable, "-I", "-"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(stdin)
            process.stdin.close()
            out = process.stdout
            yield iter(lambda: out.read(1 << 16), b"")
        assert process.returncode == 0


def fill(root: Path, files: dict[str, bytes | str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def found(root: Path, *allowed: Allowed) -> set[str]:
    results = imagescan.check(
        CLONE, access=cast("Any", Way(root)), key=KEY, allowed=allowed, deadline=Deadline(300)
    )
    return {f"{one.check.partition('::')[2]} {one.seen}" for one in results if one.outcome == FAILED}


def findings(root: Path) -> set[tuple[str, str]]:
    return {(one.split()[0], one.split()[1].split(":")[0].lstrip("/")) for one in found(root)}


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("etc/app.key", PEM, "private-key"),
        ("etc/latin-1.conf", b"# K\xfcche\n" + PEM.encode(), "private-key"),
        ("etc/wide.conf", ("\ufeff" + PEM).encode("utf-16-le"), "private-key"),
        ("usr/local/bin/program", b"\x7fELF\0\0\0" + PEM.encode() + b"\0\0", "private-key"),
        ("etc/environment", f"AWS_ACCESS_KEY_ID={TOKEN}\n", "aws-access-token"),
        ("usr/share/own/config", f"key: {TOKEN}\n", "aws-access-token"),
        ("var/lib/agent/state", f"key: {TOKEN}\n", "aws-access-token"),
        ("srv/app/settings.py", f'connect("{TOKEN}")\n', "aws-access-token"),
        ("etc/proxy.conf", "url = https://robot:" + "h7Rk2pQ9zL" + "@proxy.example:3128\n", "basic-auth"),
        ("etc/krb5", b"\x05\x02\x00", "kerberos-keytab"),
        ("opt/app/keys.jks", b"\xfe\xed\xfe\xed\0\0\0\2", "java-key-store"),
        ("root/.netrc", "machine x", "netrc"),
        ("opt/app/.pgpass", "x", "credential-file"),
        ("home/admin/.bash_history", "sudo -i", "shell-history"),
        ("root/.ssh/authorized_keys", "ssh-ed25519 AAAAother packer\n", "authorized-key"),
        ("tmp/x", b"", "temporary-file"),
        ("home/admin/notes.txt", b"", "leftover-file"),
    ],
)
def test_found_on_a_machine(tmp_path: Path, name: str, content: bytes | str, rule: str) -> None:
    fill(tmp_path, {name: content})
    assert (rule, name) in findings(tmp_path)
    assert TOKEN not in str(found(tmp_path))


def test_it_says_how_long_the_machine_worked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, {"opt/app/data": bytes(64 << 20)})
    assert found(tmp_path) == set()
    told = re.search(r" \(([0-9.]+) s, of which the machine worked ([0-9.]+) s\)", capsys.readouterr().err)
    assert told
    assert float(told[2]) > 0


def test_what_a_machine_may_have(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "root/.ssh/authorized_keys": f'command="echo no" {KEY} user\n# comment\n',
            "home/admin/.bashrc": "alias ll='ls -l'\n",
            "home/admin/.bash_history": "",
            "etc/nginx/nginx.conf": "user www-data;\n",
            "etc/ssh/ssh_host_ed25519_key": PEM,
            "srv/app/.npmrc": "fund=false\n//registry.example.org/:_authToken=${NPM_TOKEN}\n# _auth=none\n",
            "opt/app/.docker/config.json": '{"credHelpers": {"example.org": "ecr-login"}}',
            "etc/proxy.conf": "# Example: http://user:pass@192.168.100.50:8080\n",
        },
    )
    assert findings(tmp_path) == set()


def test_what_npm_installed_has_examples_and_no_keys(tmp_path: Path) -> None:
    folder = "srv/app/node_modules/thing"
    fill(
        tmp_path,
        {
            f"{folder}/README.md": "postgres://user:h7Rk2pQ9zL@example.org\npassword: 'h7Rk2pQ9zL'\n",
            f"{folder}/env.md": PEM.replace(BODY, "...\nKh9NV...\n" * 8)
            + "-----END RSA "
            + "PRIVATE KEY-----\n",
            f"{folder}/index.js": f'module.exports = "{TOKEN}"\n',
            f"{folder}/key.txt": PEM + BODY + "\n-----END RSA " + "PRIVATE KEY-----\n",
        },
    )
    assert findings(tmp_path) == {
        ("aws-access-token", f"{folder}/index.js"),
        ("private-key", f"{folder}/key.txt"),
    }


def test_both_sets_of_rules_know_a_private_key_by_the_same_form() -> None:
    ours, npm = (
        next(rule for rule in tomllib.loads(path.read_text())["rules"] if rule["id"] == "private-key")
        for path in (gitleaks.RULES, gitleaks.NPM_RULES)
    )
    assert ours == npm


def test_a_text_that_begins_as_a_program_does(tmp_path: Path) -> None:
    fill(tmp_path, {"etc/app.conf": f"MZ\nkey={TOKEN}\n"})
    assert found(tmp_path) == {"aws-access-token /etc/app.conf:2: aws-access-token"}


def test_a_file_as_its_package_brought_it_is_the_distributors(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            "etc/pki/rhui/content.key": PEM,
            "usr/lib/agent/test.key": PEM,
            "etc/agent/agent.key": PEM,
            "var/lib/dpkg/info/rhui.md5sums": f"{md5(PEM)}  lib/agent/test.key\n",
            "var/lib/dpkg/status": "Package: rhui\nConffiles:\n"
            f" /etc/pki/rhui/content.key {md5(PEM)}\n"
            f" /etc/agent/agent.key {md5('as delivered')}\n",
        },
    )
    (tmp_path / "lib").symlink_to("usr/lib")
    assert findings(tmp_path) == {("private-key", "etc/agent/agent.key")}
    (tmp_path / "usr/lib/agent/test.key").write_text(PEM + "changed\n")
    assert ("private-key", "usr/lib/agent/test.key") in findings(tmp_path)


@pytest.mark.parametrize(("signature", "left"), [("1", set()), ("0", {("private-key", "etc/pki/rhui.key")})])
def test_rpm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signature: str, left: set[tuple[str, str]]
) -> None:
    root = tmp_path / "root"
    fill(root, {"etc/pki/rhui.key": PEM})
    rpm = tmp_path / "bin/rpm"
    rpm.parent.mkdir()
    digest = hashlib.sha256(PEM.encode()).hexdigest()
    rpm.write_text(f"#!/bin/sh\necho 'P {signature} 8'\necho 'F {digest} /etc/pki/rhui.key'\n")
    rpm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{rpm.parent}{os.pathsep}{os.environ['PATH']}")
    assert findings(root) == left


def wheel(root: Path, *, extra: dict[str, str] | None = None) -> None:
    site = "opt/app/lib/python3.11/site-packages"
    digest = base64.urlsafe_b64encode(hashlib.sha256(PEM.encode()).digest()).rstrip(b"=").decode()
    fill(
        root,
        {
            f"{site}/thing/tests/key.pem": PEM,
            f"{site}/thing-1.dist-info/RECORD": f"thing/tests/key.pem,sha256={digest},{len(PEM)}\n",
            **{f"{site}/thing-1.dist-info/{name}": text for name, text in (extra or {}).items()},
        },
    )


def test_what_pip_installed_from_an_index(tmp_path: Path) -> None:
    wheel(tmp_path / "index")
    assert findings(tmp_path / "index") == set()
    wheel(tmp_path / "own", extra={"direct_url.json": '{"url": "file:///srv/thing"}'})
    assert {rule for rule, _ in findings(tmp_path / "own")} == {"private-key"}


def test_a_finding_says_its_line_and_is_forgiven_by_name(tmp_path: Path) -> None:
    fill(tmp_path, {"etc/app.conf": f"# one\n# two\nkey={TOKEN}\n", "etc/x.key": PEM})
    assert found(tmp_path, Allowed("etc/*.key", "Private Key", "an old name")) == {
        "aws-access-token /etc/app.conf:3: aws-access-token"
    }


def test_a_secret_where_two_batches_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinefiles, "BATCH_BYTES", 1 << 20)
    filler = "all is well here\n"
    before = filler * ((1 << 20) // len(filler))
    fill(tmp_path, {"srv/big.log": before + f"key={TOKEN}\n" + before})
    line = before.count("\n") + 1
    assert found(tmp_path) == {f"aws-access-token /srv/big.log:{line}: aws-access-token"}


def test_a_sparse_file_of_a_terabyte(tmp_path: Path) -> None:
    path = tmp_path / "var/log/lastlog"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(f"\0{TOKEN}\0".encode())
    assert findings(tmp_path) == {("aws-access-token", "var/log/lastlog")}


def test_a_stream_that_ends_early_is_an_error() -> None:
    with pytest.raises(PipelineError, match="stopped sending"):
        list(machinefiles.frames([zlib.compress(b'{"progress": 1, "files": 9}\n')]))
    with pytest.raises(PipelineError, match="not readable"):
        list(machinefiles.frames([b"sudo: a password is required"]))


def test_a_path_that_leads_out_is_refused() -> None:
    frame = b'{"file": "../x", "size": 1, "head": "", "binary": false}\n'
    with pytest.raises(PipelineError, match="path"):
        machinefiles.Batches(lambda batch: None, lambda done, of: None).run([zlib.compress(frame)])


@pytest.mark.parametrize("pattern", ["*", "**", "/*", "?*"])
def test_no_entry_forgives_every_file(tmp_path: Path, pattern: str) -> None:
    path = tmp_path / "allowed.yaml"
    path.write_text(f"- {{file: '{pattern}', rule: private-key, reason: none}}\n")
    with pytest.raises(PipelineError, match="cannot be read"):
        secretscan.read_allowed(path)
