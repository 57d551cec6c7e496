"""Plugins of Pulumi at the versions of the SDKs."""

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
