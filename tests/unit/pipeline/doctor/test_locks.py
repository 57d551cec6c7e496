"""Locks in a state backend of files."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from pipeline.doctor import locks, state
from pipeline.doctor.findings import Status, Subject
from pipeline.doctor.locks import Lock
from pipeline.doctor.stacks import Place

PLACE = Place("eu-west-1")
SUBJECT = Subject("lock", "stack dev")
FOLDER = ".pulumi/locks/organization/golden-image/dev"


def text(**changed: object) -> str:
    """As pkg/backend/diy/lock.go writes it."""
    values = {
        "pid": 7,
        "username": "ada",
        "hostname": "ci",
        "timestamp": "2026-01-31T13:00:00.123456789+01:00",
    }
    return json.dumps({**values, **changed})


def test_who_and_since_when() -> None:
    lock = Lock.of(text())
    assert lock.since == datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    assert str(lock) == "ada@ci (process 7) since 2026-01-31 12:00 UTC"
    assert not lock.dead


def test_a_process_of_this_machine_that_is_gone() -> None:
    here = socket.gethostname()
    assert Lock.of(text(hostname=here, pid=2**22 + 1)).dead
    assert not Lock.of(text(hostname=here, pid=os.getpid())).dead


def test_a_folder(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    assert locks.find(url, project="golden-image", stack="dev", place=PLACE) == []
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / "0a.json").write_text(text())
    found = locks.find(url, project="golden-image", stack="dev", place=PLACE)
    assert found == [Lock.of(text())]
    assert locks.find(url, project="golden-image", stack="prod", place=PLACE) == []


@pytest.mark.usefixtures("aws")
def test_a_bucket() -> None:
    s3 = boto3.client("s3", region_name="eu-west-1")
    s3.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="state", Key=f"team/{FOLDER}/0a.json", Body=text().encode())
    url = "s3://state/team?region=eu-west-1&awssdk=v2"
    found = locks.find(url, project="golden-image", stack="dev", place=PLACE)
    assert found == [Lock.of(text())]
    assert locks.find("s3://state", project="golden-image", stack="dev", place=PLACE) == []


def test_a_backend_whose_locks_cannot_be_seen() -> None:
    held = locks.find("azblob://state", project="golden-image", stack="dev", place=PLACE)
    assert held is None
    finding = state.judge(SUBJECT, "dev", held)
    assert (finding.status, finding.seen) == (Status.WARN, "not checked")


def test_what_locks_mean() -> None:
    dead = Lock.of(text(hostname=socket.gethostname(), pid=2**22 + 1))
    other = Lock.of(text())
    assert state.judge(SUBJECT, "dev", []).status is Status.OK
    killed = state.judge(SUBJECT, "dev", [dead])
    assert (killed.status, killed.cure) == (Status.FAIL, "pulumi cancel --yes --stack dev")
    assert "ada@" in killed.seen
    running = state.judge(SUBJECT, "dev", [dead, other])
    assert running.cure.startswith("wait for it")
