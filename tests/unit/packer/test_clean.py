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
    "etc/sysconfig/rhn/systemid": "ID-1",
    "var/lib/rhsm/facts/facts.json": '{"dmi.system.uuid": "ec2"}',
    "var/lib/yum/uuid": "0123",
    "etc/nvme/hostnqn": "nqn.2014-08.org.nvmexpress:uuid:0123",
    "etc/nvme/hostid": "0123",
    "etc/iscsi/initiatorname.iscsi": "InitiatorName=iqn.1994-05.com.redhat:9ab7",
    "etc/salt/minion_id": "builder",
    "etc/salt/pki/minion/minion.pem": "SECRET",
    "etc/puppetlabs/puppet/ssl/private_keys/builder.pem": "SECRET",
    "etc/docker/key.json": "SECRET",
    "var/lib/docker/engine-id": "0123",
    "var/lib/tailscale/tailscaled.state": "SECRET",
    "var/lib/zerotier-one/identity.secret": "SECRET",
    "var/lib/amazon/ssm/Vault/Store/RegistrationKey": "SECRET",
    "etc/smolt/uuid": "0123",
    "etc/krb5.keytab": "SECRET",
    "var/lib/sss/db/cache.ldb": "SECRET",
    "etc/lvm/devices/system.devices": "IDNAME=vol-1",
    "etc/blkid.tab": "disk",
    "etc/udev/rules.d/70-persistent-net.rules": "mac",
    "var/lib/rpm/__db.001": "lock",
    "etc/shadow-": "SECRET",
    "etc/passwd-": "packer",
    "etc/security/opasswd": "SECRET",
    "root/.ssh/known_hosts": "host",
    "home/admin/.ssh/authorized_keys2": "ssh-ed25519 AAAA packer",
    "root/.psql_history": "SECRET",
    "root/anaconda-ks.cfg": "SECRET",
    "root/original-ks.cfg": "SECRET",
    "etc/sysconfig/network-scripts/ifcfg-eth1": "HWADDR=0a:00",
    "etc/dhcpcd.duid": "00:01",
    "var/lib/dhcpcd/eth0.lease": "lease",
    "var/lib/NetworkManager/internal-1-eth0.lease": "lease",
    "var/lib/NetworkManager/timestamps": "0123=1",
    "var/mail/root": "mail",
    "var/spool/mail/root": "mail",
    "var/spool/postfix/deferred/A/1": "mail",
    "var/spool/at/a00001": "job",
    "var/account/pacct": "who",
    "var/crash/127.0.0.1/vmcore": "SECRET",
    "var/lib/systemd/coredump/core.1": "SECRET",
    "var/spool/abrt/ccpp-1/coredump": "SECRET",
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
    assert any(part in verified.stderr for part in (f"/{name}", *folders)), verified.stderr
    assert "SECRET" not in verified.stderr


def test_what_others_make_stays(root: Path) -> None:
    assert (root / "var/spool/postfix/deferred").is_dir(), "with its owner and mode"
    put(root, "etc/sysconfig/network-scripts/ifcfg-eth1")
    assert "HWADDR" in run("verify-clean.sh", root).stderr


def test_debians_iscsi_makes_a_name_where_it_is_asked_to(tmp_path: Path) -> None:
    put(
        tmp_path,
        "etc/iscsi/initiatorname.iscsi",
        "etc/machine-id",
        "var/log/syslog",
        "tmp/leftover",
        "var/tmp/leftover",
    )
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    assert run("clean.sh", tmp_path).returncode == 0
    assert (tmp_path / "etc/iscsi/initiatorname.iscsi").read_text() == "GenerateName=yes\n"
    verified = run("verify-clean.sh", tmp_path)
    assert verified.returncode == 0, verified.stderr


def test_a_missing_machine_id_is_told(root: Path) -> None:
    (root / "etc/machine-id").unlink()
    assert "must be there, and empty" in run("verify-clean.sh", root).stderr


def test_a_registration_with_red_hat_is_an_identity(tmp_path: Path) -> None:
    put(tmp_path, "etc/pki/consumer/cert.pem", "etc/insights-client/machine-id")
    lines = run("identity.sh", tmp_path).stdout.splitlines()
    assert {line.partition("  ")[2] for line in lines} == {"rhsm consumer", "insights machine-id"}
