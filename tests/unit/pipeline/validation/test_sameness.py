"""Ids that machines share, by whatever name: each machine is a folder that the probe looks at as at a disk."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.machines import onmachine
from pipeline.machines.clones import Clone
from pipeline.results import FAILED, PASSED, SKIPPED
from pipeline.validation import sameness

ID = "7f8c1c5e-5d2b-4f2e-9a55-0d7c1b2a3e4f"
HEX = "0123456789abcdef0123456789abcdef"
NAME = "ip-172-31-9-9"
MACHINE_ID = "fedcba9876543210fedcba9876543210"
IDS = {
    "etc/hostid": b"\x07\x7f\x01\x02",
    "etc/iscsi/initiatorname.iscsi": b"## made at the installation\nInitiatorName=iqn.1993-08.org.debian:01:9ab7\n",
    "etc/nvme/hostnqn": b"nqn.2014-08.org.nvmexpress:uuid:" + ID.encode(),
    "etc/salt/minion_id": b"builder",
    "etc/docker/key.json": b'{"kty":"EC"}',
    "var/lib/docker/engine-id": ID.encode(),
    "var/lib/zerotier-one/identity.public": b"9ab7:0:aa",
    "var/lib/tailscale/tailscaled.state": b"{}" * 4000,
    "var/lib/NetworkManager/secret_key": b"\0\1\2",
    "var/lib/systemd/credential.secret": b"\0\1\2",
    "opt/agent/host.uuid": ID.encode(),
    "opt/agent/data/state": HEX.upper().encode() + b"\n",
    "opt/CrowdStrike/falconstore": b"\0" * 5000,
    "var/lib/telegraf/.agent-id": b"ag-000017",
    "var/lib/filebeat/meta.json": b'{"uuid":"%s","first_start":"now"}' % ID.encode(),
    "var/lib/mysql/auto.cnf": b"[auto]\nserver-uuid=%s\n" % ID.encode(),
    "etc/app.conf": b"[app]\nnode_id = %s\nport = 1\n" % HEX.encode(),
    "etc/popularity-contest.conf": b'MY_HOSTID="%s"\n' % HEX.encode(),
    "var/lib/dhcpcd/duid": b"00:01:00:01:2a:2b:2c:2d:0a:00:00:00:00:01\n",
    "var/lib/glusterd/glusterd.info": b"UUID=%s\n" % ID.encode(),
    "etc/agent.json": b'{"agent_id": "7f3a99b1c2d3e4f5", "port": 1}' + b" " * 9000,
    "etc/systemd/networkd.conf.d/10.conf": b"[DHCPv4]\nDUIDRawData=00:00:ab:11:f9:2a:c2:77:29:f9\n",
    "srv/agent/node": b"i-0123456789abcdef0\n",
}
NO_IDS = {
    "etc/fstab": b"UUID=%s / ext4 defaults 0 1\n" % ID.encode(),
    "boot/loader/entry": HEX.encode(),
    "etc/NetworkManager/system-connections/eth0.nmconnection": b"[connection]\nuuid=%s\n" % ID.encode(),
    "srv/app/node_modules/x/fixture.json": b'{"deviceId": "%s"}' % ID.encode(),
    "srv/app/config.json": b'{"client_id": "%s", "tenant": "%s"}' % (ID.encode(), ID.encode()),
    f"srv/www/{HEX}.txt": HEX.encode(),
    "srv/app/.git/refs/heads/main": HEX.encode() + b"01234567",
    "etc/app/cluster": b"prod-eu-1",
    "etc/app/port": b"8080",
    "var/lib/cloud/data/previous-instance-id": b"NO_PREVIOUS_INSTANCE_ID",
    "srv/app/agent.js": b"const agentId = '%s'" % ID.encode(),
    "etc/machine-info": b"KERNEL_INSTALL_MACHINE_ID=%s\n" % HEX.encode(),
    "var/lib/amazon/ssm/i-0123456789abcdef0/state": b"i-0123456789abcdef0",
    "etc/app/hosts.yaml": b"host_id: localhost\nserver_id: 1\nnode_id: cafe\n",
    "srv/app/.next/BUILD_ID": b"k3Jd9xQ2mZ7pLr4vT8nC6",
    "etc/app/cluster-id": b"prod-eu-1-0017",
    "opt/app/SHA256": HEX.encode() * 2,
}


def digest(text: str) -> str:
    return hashlib.sha256(f"{text}\n".encode()).hexdigest()


BUILDER = f"{digest(MACHINE_ID)}  machine-id\n{digest(NAME)}  hostname\n{digest('172.31.9.9/20')}  address\n"


def probe(root: Path, files: dict[str, bytes]) -> Any:
    for name, content in {"usr/lib/golden-image/builder-identity": BUILDER.encode(), **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=onmachine.program("identity"), capture_output=True,
        check=True, env={"PATH": os.environ["PATH"], "ROOT": str(root)},
    )  # fmt: skip
    assert ID.encode() not in done.stdout, "the content stays on the machine"
    return json.loads(done.stdout)


def failures(found: dict[str, Any], allowed: dict[str, str] | None = None) -> dict[str, str]:
    results = sameness.compare(found, allowed or {})
    return {one.check.removeprefix("identity::file::/"): one.seen for one in results if one.outcome == FAILED}


def test_ids_that_two_machines_share(tmp_path: Path) -> None:
    found = {name: probe(tmp_path / name, IDS | NO_IDS) for name in ("a", "b")}
    wrong = failures(found)
    assert set(wrong) == set(IDS)
    assert all(seen.endswith(": the same as that of b") for seen in wrong.values())


def test_ids_of_ones_own(tmp_path: Path) -> None:
    found = {
        name: probe(tmp_path / name, {one: text + name.encode() for one, text in IDS.items()})
        for name in "ab"
    }
    assert failures(found) == {}
    assert [one.outcome for one in sameness.compare(found, {})] == [PASSED]


def test_what_a_package_brought_is_the_same_everywhere(tmp_path: Path) -> None:
    sums = hashlib.md5(IDS["opt/agent/host.uuid"], usedforsecurity=False).hexdigest()
    files = {
        "opt/agent/host.uuid": IDS["opt/agent/host.uuid"],
        "var/lib/dpkg/info/agent.md5sums": f"{sums}  opt/agent/host.uuid\n".encode(),
    }
    assert failures({name: probe(tmp_path / name, files) for name in "ab"}) == {}


@pytest.mark.parametrize("value", [NAME, MACHINE_ID])
def test_what_holds_the_builders_own(tmp_path: Path, value: str) -> None:
    files = {
        "etc/agent/agent.yaml": f'hostname: "{value}"\n'.encode(),
        "etc/hosts": b"127.0.0.1 localhost 172.31.9.9/20\n",
    }
    wrong = failures({"a": probe(tmp_path, files)})
    assert list(wrong) == ["etc/agent/agent.yaml"]
    assert "holds the builder's" in wrong["etc/agent/agent.yaml"]


def test_a_file_that_is_the_same_on_purpose(tmp_path: Path) -> None:
    found = {name: probe(tmp_path / name, {"etc/app/cluster-id": ID.encode()}) for name in "ab"}
    check = "identity::file::/etc/app/cluster-id"
    assert list(failures(found)) == ["etc/app/cluster-id"]
    [result] = sameness.compare(found, {check: "one for all"})
    assert (result.check, result.outcome) == (check, SKIPPED)


def test_keys_that_a_machine_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "ssh-keyscan"
    tool.write_text("#!/bin/sh\necho '# banner'\necho \"$3 ssh-ed25519 AAAAone\"\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    clone = Clone("i-1", "192.0.2.1")
    assert sameness.offered(clone) == {"offered ssh-ed25519 host key": digest("ssh-ed25519 AAAAone")}
    tool.write_text("#!/bin/sh\necho nothing >&2\n")
    with pytest.raises(PipelineError, match="offers no SSH host key"):
        sameness.offered(clone)
