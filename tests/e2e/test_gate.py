"""An image is good when machines booted from it prove it: images broken in one way each, and a good one."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from tests.e2e.forge import Forge

ROLE = "web"
DEV = "lab/stacks/Pulumi.dev.yaml"
SECRET = "Kq7" + "wX2mPz9LrT4vB8nC6sD1fG3hJ5kQ0aEyUiOdR"  # 40 characters, as AWS's are
ACCESS_KEY = "AKIA" + "QZ3KLMNP7RSTUVWX"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"
WITHIN_SECONDS = 300
HARDLY = "cat > /etc/systemd/system/broken.service <<END\n[Service]\nType=oneshot\nExecStart=/bin/false\n"


@dataclass(frozen=True)
class Broken:
    """One way to break an image.

    Attributes:
        name: The test's id.
        script: What breaks it, as root, after the clean-up.
        check: The check that must say so.
        evidence: What must be seen.
    """

    name: str
    script: str
    check: str
    evidence: str


BROKEN = (
    Broken("web-server-not-enabled", "systemctl disable nginx", "test_health", "Connection refused"),
    Broken(
        "health-answers-500",
        "sed -i 's/return 200 \\([\"'\\'']\\)ok/return 500 \\1ok/' /etc/nginx/conf.d/image.conf",
        "test_health",
        "(500, 'ok\\n')",
    ),
    Broken(
        "node-exporter-masked",
        "ln -sf /dev/null /etc/systemd/system/node_exporter.service",
        "test_node_exporter_is_active",
        "'inactive'",
    ),
    Broken(
        "a-unit-fails-at-boot",
        HARDLY + "[Install]\nWantedBy=multi-user.target\nEND\nsystemctl enable broken",
        "test_no_unit_failed",
        "broken.service",
    ),
    Broken(
        "sshd-does-not-start",
        "echo Nonsense yes >> /etc/ssh/sshd_config",
        "its sshd does not start",
        "Failed to start",
    ),
    Broken(
        "machine-id-baked-in",
        "echo 0123456789abcdef0123456789abcdef > /etc/machine-id",
        "identity::machine-id",
        "machine-id: the same as that of 172.31.",
    ),
    Broken(
        "host-keys-baked-in",
        "ssh-keygen -A\necho 'ssh_deletekeys: false' > /etc/cloud/cloud.cfg.d/99-keep.cfg",
        "identity::ssh-host-key-ed25519",
        "the same as that of 172.31.",
    ),
    Broken(
        "build-key-left",
        "mkdir -p /root/.ssh\necho ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPackersOwn packer > /root/.ssh/authorized_keys",
        "secrets::authorized-key",
        "/root/.ssh/authorized_keys",
    ),
    Broken(
        "build-user-left", "useradd --create-home packer", "test_the_build_user_is_gone", "test_identity.py"
    ),
    Broken(
        "private-key-baked-in",
        f"printf '%s\\n{SECRET}\\n' '{PEM}' > /etc/ssl/private/app.pem",
        "secrets::private-key",
        "/etc/ssl/private/app.pem:1",
    ),
    Broken(
        "keytab-baked-in",
        "printf '\\005\\002\\000\\000' > /etc/krb5.host",
        "secrets::kerberos-keytab",
        "/etc/krb5.host",
    ),
    Broken(
        "aws-key-baked-in",
        f"printf 'AWS_ACCESS_KEY_ID={ACCESS_KEY}\\nAWS_SECRET_ACCESS_KEY={SECRET}\\n' >> /etc/environment",
        "secrets::aws-access-token",
        "/etc/environment:",
    ),
)

OPEN = """
printf 'guest::1500:1500::/home/guest:/bin/bash\\ntoor:x:0:0::/root:/bin/sh\\n' >> /etc/passwd
echo 'root:aB1cD2eF3gH4' | chpasswd
echo 'packer ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-packer
mkdir -p /etc/ssh/keys /opt/ssh
echo 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPackersOwnKeyPackersOwnKeyPackersOwnKey0 packer' > /etc/ssh/keys/root
ssh-keygen -q -t ed25519 -N '' -f /opt/ssh/key
mkdir -p /etc/iscsi /etc/salt /opt/agent
echo InitiatorName=iqn.1993-08.org.debian:01:9ab7c3 > /etc/iscsi/initiatorname.iscsi
printf '\\007\\177\\001\\002' > /etc/hostid
echo builder.example > /etc/salt/minion_id
cat /proc/sys/kernel/random/uuid > /opt/agent/node
cat > /etc/ssh/sshd_config.d/00-site.conf <<'END'
HostKey /opt/ssh/key
PermitRootLogin yes
PasswordAuthentication yes
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u
AuthorizedKeysCommand /bin/cat /etc/ssh/keys/root
AuthorizedKeysCommandUser nobody
Match Address 10.0.0.0/8
  PermitEmptyPasswords yes
END
"""
"""Everything at once that lets somebody in, or that machines would share."""

PACKED = f"""
mkdir -p /root/site /srv/site
printf 'REGION=eu-west-1\\nAWS_ACCESS_KEY_ID={ACCESS_KEY}\\nAWS_SECRET_ACCESS_KEY={SECRET}\\n' > /root/site/app.env
tar -czf /opt/backup.tar.gz -C /root site
python3 -m zipfile -c /srv/site/release.zip /root/site/app.env
rm -r /root/site
"""
"""Secrets in archives alone."""

UNPACKED = ("/opt/backup.tar.gz!/site/app.env:2", "/srv/site/release.zip!/app.env:2")

SHARED = (
    "offered-ssh-ed25519-host-key", "file::/etc/iscsi/initiatorname.iscsi", "file::/etc/hostid",
    "file::/etc/salt/minion_id", "file::/opt/agent/node",
)  # fmt: skip

OPENED = (
    "empty-password::guest", "uid-0::toor", "password::root", "sudo-without-password::packer", "authorized-key::root",
    "sshd::permitrootlogin", "sshd::passwordauthentication", "sshd::authorizedkeyscommand",
    "sshd::permitemptypasswords",
)  # fmt: skip


def held(bench: Workbench) -> tuple[Any, ...]:
    """Channel and launch templates: what a broken image must not change."""
    templates = bench.client("ec2").describe_launch_templates()["LaunchTemplates"]
    return (
        bench.pointer(ROLE, "candidate"),
        bench.holders(ROLE, "prod"),
        bench.pointer(ROLE, "prod"),
        [(template["LaunchTemplateId"], template["LatestVersionNumber"]) for template in templates],
    )


def secret_is_nowhere(bench: Workbench, run: Run) -> None:
    """Neither in what was printed, nor in the state, nor in the files that steps keep."""
    state = subprocess.run(
        ["pulumi", "stack", "export", "--stack", "dev"],
        cwd=bench.folder, env=bench.env, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    logs = "".join(
        path.read_text() for path in Path.home().glob(".local/state/golden-image/bakes/*/packer.log")
    )
    reports = "".join(path.read_text() for path in (bench.folder / "reports").rglob("*.*"))
    for text in (run.output, state, logs, reports):
        assert SECRET not in text
        assert ACCESS_KEY not in text


@pytest.fixture(scope="module")
def good(bench: Workbench) -> str:
    """A good image, in dev and prod."""
    for stack in ("dev", "prod"):
        assert bench.up(stack).status == 0
    image: str = bench.outputs("dev")["imageId"]
    return image


@pytest.fixture
def forge(bench: Workbench, tmp_path: Path) -> Iterator[Forge]:
    kept = {path: (bench.folder / path).read_text() for path in (DEV, "packer/roles/web/defaults/main.yml")}
    yield Forge(bench, tmp_path)
    for path, text in kept.items():
        (bench.folder / path).write_text(text)


def test_a_good_image_passes_and_its_report_stays(bench: Workbench, good: str) -> None:
    outputs = bench.outputs("dev")
    report = (bench.folder / outputs["validationReport"]).read_bytes()
    digest = subprocess.run(["sha256sum"], input=report, capture_output=True, check=True).stdout.decode()
    tags = bench.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [good]}])["Tags"]
    evidence = {tag["Key"]: tag["Value"] for tag in tags}["Validated"]
    assert evidence.endswith(f"report {digest[:16]}")
    checks = json.loads(report)["checks"]
    assert {check["outcome"] for check in checks} == {"passed"}
    assert len({check["machine"] for check in checks if check["machine"]}) == 2
    assert (bench.folder / outputs["validationReport"]).with_name("junit.xml").exists()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_image_is_stopped(bench: Workbench, good: str, forge: Forge, broken: Broken) -> None:
    before = held(bench)
    bench.set_version(f"6.{BROKEN.index(broken)}.0")
    if not broken.check.startswith("identity::"):  # one machine shows all but what two have in common
        bench.edit(DEV, r"^( +)timeoutSeconds: .*", r"\g<0>\n\1clones: 1")
    forge.image(good, broken.script)
    up = bench.up("dev")
    assert up.status != 0
    error = up.output[up.output.index("Diagnostics:") :]
    assert broken.check in error
    assert broken.evidence in error
    assert "Traceback" not in error
    assert held(bench) == before
    secret_is_nowhere(bench, up)


def test_all_that_lets_somebody_in_is_shared_or_packed_is_named(
    bench: Workbench, good: str, forge: Forge
) -> None:
    before = held(bench)
    bench.set_version("6.100.0")
    forge.image(good, OPEN + PACKED)
    up = bench.up("dev")
    assert up.status != 0
    written = (bench.folder / "reports").glob("*/*/report.json")
    report = max(written, key=lambda path: path.stat().st_mtime_ns)
    checks = json.loads(report.read_text())["checks"]
    failed = {check["check"] for check in checks if check["outcome"] == "failed"}
    assert {f"accounts::{name}" for name in OPENED} <= failed
    assert {f"identity::{name}" for name in SHARED} <= failed
    secrets = {check["seen"] for check in checks if check["check"].startswith("secrets::")}
    assert {f"{place}: aws-access-token" for place in UNPACKED} <= secrets
    assert held(bench) == before
    secret_is_nowhere(bench, up)


def test_a_secret_in_a_role_is_caught_before_packer_starts(bench: Workbench, good: str, forge: Forge) -> None:
    before = held(bench)
    defaults = bench.folder / "packer/roles/web/defaults/main.yml"
    defaults.write_text(defaults.read_text() + f"web_upload_secret_key: {SECRET}\n")
    up = bench.up("dev")
    assert up.status != 0
    assert "packer/roles/web/defaults/main.yml:" in up.output
    assert ": password" in up.output
    assert "Packer's whole log" not in up.output, "Packer was not started"
    assert held(bench) == before
    secret_is_nowhere(bench, up)


def test_a_teams_own_smoke_test_that_fails(bench: Workbench, good: str, forge: Forge) -> None:
    before = held(bench)
    bench.edit(
        DEV,
        r"^( +)timeoutSeconds: .*",
        r"\g<0>\n\1smokeTest: 'echo $GOLDEN_IMAGE_ROLE on $GOLDEN_IMAGE_ADDRESSES is slow; exit 3'\n\1keepMinutes: 1",
    )
    up = bench.up("dev")
    assert up.status != 0
    assert "smoke-test: exit status 3" in up.output
    assert "web on 172.31." in up.output
    assert held(bench) == before


def test_after_a_failure_machines_stop_by_themselves_and_a_fixed_image_passes(
    bench: Workbench, good: str
) -> None:
    ec2 = bench.client("ec2")
    short = [
        {"Name": "tag:Purpose", "Values": ["validation"]},
        {"Name": "image-id", "Values": [good]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    deadline = time.monotonic() + WITHIN_SECONDS
    while ec2.describe_instances(Filters=short)["Reservations"]:
        assert time.monotonic() < deadline, "they run on"
        time.sleep(1)
    up = bench.up("dev")
    assert up.status == 0
    assert "after the first port answered" in up.output
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    assert ec2.describe_instances(Filters=running)["Reservations"] == []
