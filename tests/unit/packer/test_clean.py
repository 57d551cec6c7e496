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
    "var/lib/cloud/instances/i-1/user-data.txt": "SECRET",
    "var/lib/cloud/data/instance-id": "i-1",
    "var/lib/systemd/random-seed": "seed",
    "var/lib/dbus/machine-id": "0123",
    "var/lib/dhcp/dhclient.leases": "lease",
    "var/lib/apt/lists/some_Packages": "",
    "var/log/journal/0123/system.journal": "log",
    "var/log/syslog": "log",
    "etc/pki/consumer/key.pem": "SECRET",
    "etc/pki/consumer/cert.pem": "who we are",
    "etc/pki/entitlement/4711-key.pem": "SECRET",
    "etc/insights-client/machine-id": "0123",
    "etc/insights-client/.registered": "",
    "etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection": "mac",
    "etc/sysconfig/network-scripts/ifcfg-eth0": "HWADDR=0a:00",
    "var/lib/NetworkManager/secret_key": "SECRET",
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
    assert "SECRET" not in verified.stderr


def test_a_missing_machine_id_is_told(root: Path) -> None:
    (root / "etc/machine-id").unlink()
    assert "must be there, and empty" in run("verify-clean.sh", root).stderr


def test_a_registration_with_red_hat_is_an_identity(tmp_path: Path) -> None:
    put(tmp_path, "etc/pki/consumer/cert.pem", "etc/insights-client/machine-id")
    lines = run("identity.sh", tmp_path).stdout.splitlines()
    assert {line.partition("  ")[2] for line in lines} == {"rhsm consumer", "insights machine-id"}
