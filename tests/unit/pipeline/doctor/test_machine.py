"""Programs and packages: there, and new enough."""

from pathlib import Path

import pytest

from pipeline.doctor import machine, programs
from pipeline.doctor.findings import Status


def put(folder: Path, name: str, says: str, status: int = 0) -> None:
    script = folder / name
    script.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    script.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "wanted", "seen"),
    [
        ("Packer v1.16.0", Status.OK, "1.16.0"),
        ("Packer v1.14.0-dev", Status.OK, "1.14.0"),
        ("Packer v1.13.1", Status.WARN, "1.13.1"),
        ("Packer v1.12.0", Status.WARN, "1.12.0"),
        ("Packer v1.9.0", Status.FAIL, "1.9.0"),
        ("no version", Status.FAIL, "no version"),
    ],
)
def test_a_version(
    says: str, wanted: Status, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "packer", says)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    [finding] = machine.program(machine.PACKER)
    assert finding.status is wanted
    assert seen in finding.seen


def test_a_program_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "packer", "1.12.0", status=1)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    [finding] = machine.program(machine.PACKER)
    assert finding.status is Status.FAIL


def test_not_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [finding] = machine.program(machine.PACKER)
    assert (finding.status, finding.seen) == (Status.FAIL, "not on PATH")
    assert "1.12.0 or newer" in finding.cause
    assert "make setup" in finding.cure


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("3.250.0\n", (3, 250, 0)),
        ("OpenSSH_9.2p1 Debian-2+deb12u3, OpenSSL 3.0.15", (9, 2, 0)),
        ("ansible-playbook [core 2.18.19]\n  config file = None", (2, 18, 19)),
        ("none", None),
    ],
)
def test_version_numbers(text: str, version: tuple[int, int, int] | None) -> None:
    assert programs.version_in(text) == version


LOCK = """# by make lock
boto3==1.40.1 \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
Ruamel_YAML==0.18.1 \\
    --hash=sha256:00
    # via -r requirements.in
"""


@pytest.mark.parametrize(
    ("installed", "wrong"),
    [
        ({"boto3": "1.40.1", "ruamel-yaml": "0.18.1"}, []),
        ({"boto3": "1.40.1"}, ["Ruamel_YAML missing"]),
        ({"boto3": "1.39", "ruamel-yaml": "0.18.1"}, ["boto3 1.39 instead of 1.40.1"]),
    ],
)
def test_packages_against_the_lock(installed: dict[str, str], wrong: list[str]) -> None:
    assert machine.differing(LOCK, installed) == wrong


@pytest.mark.usefixtures("_elsewhere")
class TestElsewhere:
    @pytest.fixture
    def _elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    def test_no_project(self) -> None:
        [finding] = machine.folder()
        assert finding.status is Status.FAIL
        assert "no Pulumi.yaml" in finding.seen

    def test_no_environment(self) -> None:
        [finding] = machine.packages()
        assert finding.status is Status.FAIL
        assert "make setup" in finding.cure

    def test_a_missing_package_fails_and_another_version_warns(self) -> None:
        Path("requirements.txt").write_text(LOCK)
        python = Path(".venv/bin/python")
        python.parent.mkdir(parents=True)
        for installed, status in (
            ('[["boto3", "1.40.1"]]', Status.FAIL),
            ('[["boto3", "1.39"], ["ruamel-yaml", "0.18.1"]]', Status.WARN),
            ('[["boto3", "1.40.1"], ["ruamel-yaml", "0.18.1"]]', Status.OK),
        ):
            put(python.parent, "python", installed)
            [finding] = machine.packages()
            assert finding.status is status

    def test_the_environment_is_asked(self) -> None:
        python = Path(".venv/bin/python")
        python.parent.mkdir(parents=True)
        put(python.parent, "python", '[["Ruamel_YAML", "0.18.1"]]')
        assert machine.of_the_environment() == {"ruamel-yaml": "0.18.1"}
