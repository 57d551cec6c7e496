"""What the gate asks itself: an answer may come late, and the wrong one is no answer."""

import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import httpx
import pytest

from pipeline.validation import floor
from pipeline.validation.clones import Clone
from pipeline.validation.deadline import Deadline
from pipeline.validation.results import FAILED, PASSED

CLONE = Clone("i-1", "127.0.0.1")


class Way:
    def run(self, address: str, command: Any, *, timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, "active\n", "")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Statuses that /health answers with, one a request; the last one stays."""
    statuses = [200]

    def get(url: str, **options: Any) -> httpx.Response:
        assert url == "http://127.0.0.1/health"
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if not status:
            raise httpx.ConnectError("Connection refused")
        return httpx.Response(status)

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setattr(floor, "_banner", lambda clone: "")
    monkeypatch.setattr(floor, "POLL_SECONDS", 0.01)
    return statuses


def outcomes(seconds: float = 600, *, role: str = "web", patient: bool = True) -> dict[str, tuple[str, str]]:
    found = floor.check(
        CLONE, access=cast("Any", Way()), role=role, deadline=Deadline(seconds), patient=patient
    )
    return {result.check: (result.outcome, result.seen) for result in found}


def test_a_slow_application_is_waited_for(answers: list[int]) -> None:
    answers[:] = [0, 0, 503, 200]
    assert outcomes()["floor::health"] == (PASSED, "")


def test_a_sick_one_fails_within_the_deadline(answers: list[int]) -> None:
    answers[:] = [500]
    started = time.monotonic()
    outcome, seen = outcomes(0.4)["floor::health"]
    assert (outcome, seen) == (FAILED, "status 500, for 0 s")
    assert time.monotonic() - started < 0.4


def test_a_second_look_does_not_wait(answers: list[int]) -> None:
    answers[:] = [0, 200]
    assert outcomes(patient=False)["floor::health"][0] == FAILED


def test_another_role_needs_no_health_but_a_test_of_its_own(answers: list[int]) -> None:
    assert "floor::health" not in outcomes(role="db")
    assert floor.role_test(CLONE, "db", tested=False).outcome == FAILED
    assert floor.role_test(CLONE, "db", tested=True).outcome == PASSED


def test_what_is_not_ssh(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hello(BaseHTTPRequestHandler):
        pass

    server = HTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    real = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda where, timeout: real(("127.0.0.1", server.server_port), timeout=0.2),
    )
    assert floor._banner(CLONE) != ""
    server.shutdown()
    server.server_close()
