"""Plugins of Pulumi at the versions of the SDKs."""

from pathlib import Path

import pytest

from pipeline.doctor import plugins
from pipeline.doctor.findings import Status

WANTED = {"aws": "7.51.1", "command": "1.2.1"}
BOTH = set(WANTED.items())


@pytest.mark.parametrize(
    ("there", "on_path", "may_download", "status"),
    [
        (BOTH, [], False, Status.OK),
        (BOTH - {("aws", "7.51.1")} | {("aws", "7.0.0")}, [], True, Status.WARN),
        (BOTH - {("aws", "7.51.1")}, [], False, Status.FAIL),
        (BOTH - {("aws", "7.51.1")}, ["aws"], False, Status.OK),
    ],
)
def test_judge(
    there: set[tuple[str, str]], on_path: list[str], *, may_download: bool, status: Status
) -> None:
    found = plugins.judge(wanted=WANTED, there=there, on_path=on_path, may_download=may_download)
    assert found.status is status
    if status is not Status.OK:
        assert found.seen == "missing: aws 7.51.1"
        assert found.cure == "pulumi plugin install resource aws v7.51.1"


@pytest.mark.parametrize(
    ("status", "seen"), [(0, "missing: command 1.2.1"), (1, "error: no home")], ids=["listed", "refused"]
)
def test_pulumi_and_the_environment_are_asked(
    status: int, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
    packages = '[["pulumi-aws", "7.51.1"], ["pulumi_command", "1.2.1"]]'
    installed = '[{"name": "aws", "version": "7.51.1"}]'
    scripts = {
        "pulumi": f"echo '{installed}'; echo 'error: no home' >&2; exit {status}",
        ".venv/bin/python": f"echo '{packages}'",
    }
    for name, text in scripts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    [finding] = plugins.check()
    assert (finding.status, finding.seen) == (Status.FAIL, seen)
