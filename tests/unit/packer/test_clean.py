"""What clean.sh removes, verify-clean.sh checks; on a small root of the test's own."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[3] / "packer" / "scripts"

LEFTOVERS = {
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/hostname": "builder\n",
    "etc/ssh/ssh_host_ed25519_key": "key",
    "etc/ssh/ssh_host_ed25519_key.pub": "key",
    "root/.ssh/authorized_keys": "ssh-ed25519 AAAA packer",
    "home/admin/.ssh/authorized_keys": "ssh-ed25519 AAAA packer",
    "home/admin/.bash_history": "sudo -i",
    "root/.ansible/tmp/x": "",
    "var/lib/cloud/instances/i-1/user-data.txt": "secret",
    "var/lib/cloud/data/instance-id": "i-1",
    "var/lib/systemd/random-seed": "seed",
    "var/lib/dbus/machine-id": "0123",
    "var/lib/dhcp/dhclient.leases": "lease",
    "var/lib/apt/lists/some_Packages": "",
    "var/log/journal/0123/system.journal": "log",
    "var/log/syslog": "log",
    "tmp/leftover": "x",
    "var/tmp/leftover": "x",
}


def run(script: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPTS / script)], env={"PATH": os.environ["PATH"], "ROOT": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LEFTOVERS[name])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, *LEFTOVERS)
    cleaned = run("clean.sh", tmp_path)
    assert cleaned.returncode == 0, cleaned.stderr
    return tmp_path


def test_after_the_clean_up_nothing_is_left(root: Path) -> None:
    verified = run("verify-clean.sh", root)
    assert (verified.returncode, verified.stdout) == (0, "verify-clean: nothing is left\n"), verified.stderr
    assert (root / "etc/machine-id").read_text() == ""
    assert (root / "var/log/syslog").read_text() == "", "log files stay, empty"


@pytest.mark.parametrize("name", LEFTOVERS)
def test_each_thing_that_is_left_is_named(root: Path, name: str) -> None:
    put(root, name)
    verified = run("verify-clean.sh", root)
    assert verified.returncode == 1
    folders = [f"/{folder}" for folder in Path(name).parents if len(folder.parts) > 1]
    assert any(part in verified.stderr for part in (f"/{name}", *folders))
    assert "secret" not in verified.stderr


def test_a_missing_machine_id_is_told(root: Path) -> None:
    (root / "etc/machine-id").unlink()
    assert "must be there, and empty" in run("verify-clean.sh", root).stderr
