"""The end of a boot is what systemd says, and nothing else."""

import subprocess
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.validation import access, keygen
from pipeline.validation.clones import Clone
from pipeline.validation.deadline import Deadline

CLONE = Clone("i-1", "192.0.2.1")
NO_BUS = subprocess.CompletedProcess([], 1, "\n", "Failed to connect to bus: No such file or directory")
RUNNING = subprocess.CompletedProcess([], 0, "running\n", "")


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> access.Access:
    monkeypatch.setattr(access, "POLL_SECONDS", 0.01)
    return access.Access(private_key=keygen.run({"imageId": "ami-1"})["privateKey"], user="x", lifetime=1)


def test_a_machine_whose_systemd_does_not_answer_yet_is_asked_again(
    session: access.Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[Any] = [NO_BUS, NO_BUS, RUNNING]
    monkeypatch.setattr(session, "run", lambda *_, **__: answers.pop(0))
    assert session.wait_for_boot(CLONE, Deadline(300), lambda: None) == "running"
    assert not answers


def test_a_machine_whose_systemd_never_answers(
    session: access.Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "run", lambda *_, **__: NO_BUS)
    with pytest.raises(PipelineError, match=r"i-1 .* never reported the end of its boot") as caught:
        session.wait_for_boot(CLONE, Deadline(0.1), lambda: None)
    assert "Failed to connect to bus" in str(caught.value)
