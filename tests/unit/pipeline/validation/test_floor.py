"""What the gate asks itself: an answer may come late, and the wrong one is no answer."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.results import FAILED, PASSED
from pipeline.validation import floor

CLONE = Clone("i-1", "127.0.0.1")


class Way:
    """A machine's shell, which is this one's; what a command prints may be set."""

    def __init__(self) -> None:
        self.says: dict[str, str] = {}

    def run(self, address: str, command: Any, *, timeout: float) -> subprocess.CompletedProcess[str]:
        line = " ".join(command)
        if line in self.says:
            return subprocess.CompletedProcess([], 0, self.says[line], "")
        if line == "systemctl is-active node_exporter":
            return subprocess.CompletedProcess([], 0, "active\n", "")
        return subprocess.run(
            ["sh", "-c", line.replace("sudo ", "")], capture_output=True, text=True, check=False
        )


class Server:
    """Answers on a port of this machine with what the test says, one answer a request; the last one stays."""

    def __init__(self) -> None:
        self.answers: list[bytes | None] = [ok()]
        self.trickle = 0.0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.asked: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Before the socket is closed: the next one gets its file descriptor, on which this thread would answer."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        with contextlib.suppress(OSError), connection:
            self.asked.append(connection.recv(4096))
            for byte in answer or b"":
                connection.send(bytes([byte]))
                time.sleep(self.trickle)


def ok(status: int = 200) -> bytes:
    return f"HTTP/1.1 {status} Words\r\nContent-Length: 3\r\n\r\nok\n".encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    server = Server()
    real = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda where, timeout: real((where[0], server.port if where[1] == 80 else where[1]), timeout=timeout),
    )
    monkeypatch.setattr(floor, "_banner", lambda clone: "")
    monkeypatch.setattr(floor, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(floor, "JOURNAL", "true")
    yield server
    server.end()


def outcomes(
    seconds: float = 600,
    *,
    wait: float = 60,
    health_port: int | None = 80,
    patient: bool = True,
    way: Way | None = None,
) -> dict[str, tuple[str, str]]:
    found = floor.check(
        CLONE,
        access=cast("Any", way or Way()),
        health_port=health_port,
        deadline=Deadline(seconds),
        health_wait=wait,
        patient=patient,
    )
    return {result.check: (result.outcome, result.seen) for result in found}


def test_a_slow_application_is_waited_for(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers[:] = [None, ok(503), ok(500), ok()]
    assert outcomes()["floor::health"] == (PASSED, "")
    assert b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n" in server.asked[0]
    told = capsys.readouterr().err
    assert told.count("waiting for at most 60 s") == 1
    assert "floor::health: the connection ended without an answer" in told


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (ok(500), "status 500"),
        (ok(204), "status 204"),
        (b"SSH-2.0-OpenSSH\r\n", "an answer that is not HTTP: 'SSH-2.0-OpenSSH'"),
        (b"HTTP/1.1 2000 Many\r\n", "an answer that is not HTTP: 'HTTP/1.1 2000 Many'"),
        (None, "the connection ended without an answer"),
    ],
)
def test_a_sick_one_fails_within_its_time(server: Server, answer: bytes | None, seen: str) -> None:
    server.answers[:] = [answer]
    waits = [outcomes(wait=0.2)["floor::health"], outcomes(0.2)["floor::health"]]
    # The second has the shorter deadline. How long a loaded machine took is not the matter.
    assert {(outcome, text.rpartition(", for ")[0]) for outcome, text in waits} == {(FAILED, seen)}


def test_an_answer_that_comes_too_slowly_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floor, "ANSWER_SECONDS", 0.3)
    server.trickle = 0.1
    assert outcomes(wait=0)["floor::health"][1].startswith("no answer within"), (
        "no byte of it makes that longer"
    )


def test_a_second_look_does_not_wait(server: Server) -> None:
    server.answers[:] = [None, ok()]
    assert outcomes(patient=False)["floor::health"][0] == FAILED


def test_a_disk_without_room(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(floor, "WRITE", floor.WRITE.replace("/tmp /var/tmp /var/log", str(tmp_path)))
    assert outcomes()["floor::disk"] == (PASSED, "")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(floor, "WRITE", floor.WRITE.replace(str(tmp_path), str(tmp_path / "missing")))
    outcome, seen = outcomes()["floor::disk"]
    assert outcome == FAILED
    assert "No such file or directory" in seen


MEMORY, DISK = "memory", "disk"
JOURNALD = """#!/bin/sh
case $(basename "$0") in
  systemd-cat) [ -n "$STORES" ] || { echo "Failed to create stream fd: Connection refused" >&2; exit 1; }
    for one in $STORES; do cp /dev/stdin "$HERE/$one"; done ;;
  systemd-analyze) printf '# /etc/systemd/journald.conf\\n#Storage=auto\\nStorage=none\\nStorage=%s\\n' "$STORAGE" ;;
  journalctl) case $* in
    --sync) ;;
    *--directory=*) cat "$HERE/disk" || exit 1 ;;
    *) cat "$HERE/memory" "$HERE/disk" 2>/dev/null ;;
    esac ;;
esac
"""


@pytest.mark.parametrize(
    ("stores", "storage", "seen"),
    [
        (DISK, "persistent", ""),
        (MEMORY, "volatile", ""),
        (MEMORY, "persistent", "a line that was logged is not in /var/log/journal/"),
        ("nowhere", "persistent", "a line that was logged is not in it"),
        ("nowhere", "none", "a line that was logged is not in it"),
        ("", "persistent", "Failed to create stream fd: Connection refused"),
    ],
    ids=["disk", "memory", "not-on-the-disk", "gone", "none", "no-journald"],
)
def test_a_journal_that_keeps_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stores: str, storage: str, seen: str
) -> None:
    for name in ("systemd-cat", "journalctl", "systemd-analyze"):
        (tmp_path / name).write_text(JOURNALD)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in (("HERE", str(tmp_path)), ("STORES", stores), ("STORAGE", storage)):
        monkeypatch.setenv(name, value)
    found = floor._journal(CLONE, cast("Any", Way()))
    assert found.startswith(seen)
    assert bool(seen) == bool(found)


@pytest.mark.parametrize(("off", "outcome"), [(200, PASSED), (400, FAILED), (-4000, FAILED)])
def test_a_clock_that_is_wrong(
    server: Server, monkeypatch: pytest.MonkeyPatch, off: int, outcome: str
) -> None:
    monkeypatch.setattr(floor, "SOON_SECONDS", 0.1)
    way = Way()
    way.says["date +%s"] = f"{int(time.time()) + off}\n"
    assert outcomes(way=way)["floor::clock"][0] == outcome


def test_another_role_needs_no_health_but_a_test_of_its_own(server: Server) -> None:
    assert "floor::health" not in outcomes(health_port=None)
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
