"""Pulumi's state: reached, and without operations that broke off."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.doctor import state
from pipeline.doctor.findings import Status
from tests.unit.pipeline.doctor.making import PROD

PENDING = [
    {"type": "creating", "resource": {"urn": "urn:pulumi:prod::x::aws:ec2/instance:Instance::clone-1"}}
]


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A `pulumi` that prints the same, whatever it is asked."""

    def answers(out: Any, *, err: str = "", status: int = 0) -> None:
        (tmp_path / "out").write_text(json.dumps(out))
        (tmp_path / "err").write_text(err)
        script = tmp_path / "pulumi"
        script.write_text(f"#!/bin/sh\ncat {tmp_path}/out\ncat {tmp_path}/err >&2\nexit {status}\n")
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return answers


def test_the_backend_is_shown_without_its_password(pulumi: Callable[..., None]) -> None:
    pulumi({"url": "https://me:secret@api.example", "user": "me"})
    [finding] = state.login()
    assert (finding.status, finding.seen) == (Status.OK, "https://api.example as me")


def test_a_backend_that_cannot_be_reached(pulumi: Callable[..., None]) -> None:
    pulumi("", err="error: no such bucket", status=1)
    [finding] = state.login()
    assert (finding.status, finding.seen) == (Status.FAIL, "error: no such bucket")
    assert "PULUMI_BACKEND_URL" in finding.cure


@pytest.mark.parametrize(
    ("answer", "err", "status", "seen"),
    [
        ({"deployment": {"resources": [1, 2]}}, "", Status.OK, "2 resources, nothing pending"),
        ("", "error: no stack named 'prod' found", Status.OK, "none yet"),
        ("", "error: incorrect passphrase", Status.FAIL, "incorrect passphrase"),
        ({"deployment": {"pending_operations": PENDING}}, "", Status.WARN, "creating clone-1"),
    ],
)
def test_the_state_of_a_stack(
    answer: Any, err: str, status: Status, seen: str, pulumi: Callable[..., None]
) -> None:
    pulumi(answer, err=err, status=1 if err else 0)
    [finding] = state.check(PROD)
    assert finding.status is status
    assert seen in finding.seen
    assert status is not Status.WARN or "--clear-pending-creates --stack prod" in finding.cure
