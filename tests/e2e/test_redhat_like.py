"""A source image that is like Red Hat's: what it has of its own passes, what a builder or a person adds does not."""

import json
from pathlib import Path

import pytest

from lab import redhat_like
from lab.settings import LabSettings
from lab.workbench import Workbench
from tests.e2e.forge import Forge

NEVER = 3600
"""Seconds after boot; no bake and no validation takes so long."""

BEFORE_SSH = 0
"""The machine is registered when a bake can first log in."""

CONF = "etc/insights-client/insights-client.conf"
CHANGE = f"""

- name: Set the proxy of the Insights client
  ansible.builtin.lineinfile:
    path: /{CONF}
    line: "proxy=http://svc:{{{{ 'kJ8vQ2' ~ 'mZ7xLp' }}}}@192.0.2.1:8080"
"""
"""The password is put together on the builder, so that the scan of the sources has nothing to find."""


def disk(lab: LabSettings, image_id: str, name: str) -> Path | None:
    """A file of an image's disk, in the topmost of its layers that has it."""
    layers = json.loads((lab.layers_dir / "images.json").read_text())[image_id]
    found = [lab.layers_dir / layer / name for layer in layers if (lab.layers_dir / layer / name).is_file()]
    return found[-1] if found else None


def builder_identity(lab: LabSettings, image_id: str) -> set[str]:
    file = disk(lab, image_id, "usr/lib/golden-image/builder-identity")
    assert file
    return {line.split("  ", 1)[1] for line in file.read_text().splitlines()}


def consoles(bench: Workbench) -> list[str]:
    """What the validation machines printed."""
    ec2 = bench.client("ec2")
    found = ec2.describe_instances(Filters=[{"Name": "tag:Purpose", "Values": ["validation"]}])[
        "Reservations"
    ]
    return [
        ec2.get_console_output(InstanceId=one["InstanceId"], Latest=True)["Output"]
        for reservation in found
        for one in reservation["Instances"]
    ]


@pytest.mark.parametrize(
    ("seconds", "registered"), [(NEVER, False), (BEFORE_SSH, True)], ids=["ordinary", "registered builder"]
)
def test_an_image_passes_and_has_no_consumer_identity(
    lab: LabSettings, bench: Workbench, seconds: int, *, registered: bool
) -> None:
    source = bench.offer_redhat(registration_seconds=seconds)
    bench.set_version(f"12.{seconds}.0")
    run = bench.up("dev")
    assert run.status == 0
    image_id = bench.pointer("web", "candidate")
    assert image_id
    [image] = bench.client("ec2").describe_images(ImageIds=[image_id])["Images"]
    assert {"Key": "SourceImage", "Value": source} in image["Tags"]
    assert disk(lab, image_id, "etc/pki/rhui/content-rhel9.key"), "the distributor's key is in the image"
    for console in consoles(bench):
        assert "Reached target" in console
        assert "ordering cycle" not in console.lower()
    assert ("rhsm consumer" in builder_identity(lab, image_id)) is registered
    for left in ("etc/pki/consumer/key.pem", "etc/pki/consumer/cert.pem", "etc/insights-client/machine-id"):
        assert disk(lab, image_id, left) is None


def test_a_secret_in_a_changed_file_of_a_package_is_found(lab: LabSettings, bench: Workbench) -> None:
    bench.offer_redhat(registration_seconds=NEVER)
    before = bench.pointer("web", "candidate")
    tasks = bench.folder / "packer/ansible/roles/baseline/tasks/main.yml"
    tasks.write_text(tasks.read_text() + CHANGE)
    bench.set_version("12.0.1")
    run = bench.up("dev")
    assert run.status != 0
    assert f"/{CONF}" in run.output
    assert "/etc/pki/rhui" not in run.output, "what the package has unchanged is the distributor's"
    assert "kJ8vQ2mZ7xLp" not in run.output
    assert bench.pointer("web", "candidate") == before


def test_after_the_clean_up_no_machine_registers(bench: Workbench, tmp_path: Path) -> None:
    """A service that something has started again would register the builder after its clean-up."""
    source = bench.offer_redhat(registration_seconds=BEFORE_SSH)
    script = """
test -s /etc/pki/consumer/cert.pem
systemctl restart rhsmcertd.service
{clean}
if systemctl start rhsmcertd.service; then echo "it was started" >&2; exit 1; fi
{verify}
"""
    scripts = {
        name: (bench.folder / f"packer/scripts/{file}.sh").read_text()
        for name, file in (("clean", "clean"), ("verify", "verify-clean"))
    }
    Forge(bench, tmp_path).image(source, script.format(**scripts), clean=False, user=redhat_like.LOGIN_USER)
