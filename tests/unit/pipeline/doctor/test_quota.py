"""The quota, in vCPUs."""

import pytest

from pipeline.doctor import quota
from pipeline.doctor.findings import Status, Subject

SUBJECT = Subject("quota", "stack dev")


@pytest.mark.parametrize(
    ("need", "used", "limit", "status"),
    [(4, 0, 4, Status.OK), (4, 1, 4, Status.FAIL), (4, 0, 0, Status.FAIL)],
)
def test_judge(need: int, used: int, limit: int, status: Status) -> None:
    finding = quota.judge(SUBJECT, need=need, used=used, limit=limit)
    assert finding.status is status
    assert finding.seen == f"{need} vCPUs needed at once, {used} of {limit} in use"
    assert status is Status.OK or f"--desired-value {need + used}" in finding.cure


@pytest.mark.parametrize("name", ["t3.medium", "m7g.large", "im4gn.large", "c5.xlarge"])
def test_standard(name: str) -> None:
    assert quota.is_standard(name)


@pytest.mark.parametrize("name", ["p5.48xlarge", "g5.xlarge", "inf2.xlarge", "mac1.metal", "hpc7a.12xlarge"])
def test_not_standard(name: str) -> None:
    assert not quota.is_standard(name)
