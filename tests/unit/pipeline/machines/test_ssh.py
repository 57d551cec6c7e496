"""The way into validation machines: a real agent, and an ssh that does what the test says."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PipelineError
from pipeline.machines import ssh
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.validation import keygen

CLONE = Clone("i-1", "192.0.2.1")
NO_BUS = subprocess.CompletedProcess([], 1, "\n", "Failed to connect to bus: No such file or directory")
RUNNING = subprocess.CompletedProcess([], 0, "running\n", "")
DENIED = subprocess.CompletedProcess([], ssh.SSH_FAILED, "", "x@192.0.2.1: Permission denied (publickey).")
REFUSED = subprocess.CompletedProcess([], ssh.SSH_FAILED, "", "connect to host 192.0.2.1: Connection refused")
KEYS = keygen.run({"imageId": "ami-1"})


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> ssh.SshSession:
    monkeypatch.setattr(ssh, "POLL_SECONDS", 0.01)
    return ssh.SshSession(private_key=KEYS["privateKey"], user="x", lifetime=1)


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts an `ssh` on PATH that is the given shell; returns the file that has its arguments, a line a call."""

    def make(script: str) -> Path:
        calls = tmp_path / "calls"
        program = tmp_path / "ssh"
        program.write_text(f'#!/bin/sh\necho "$*" >> {calls}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return calls

    return make


def answering(session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> list[Any]:
    """Let the session's commands end so, one after the other and the last for ever; returns those to come."""
    left = list(answers)

    def run(*_: object, **__: object) -> Any:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(session, "run", run)
    return left


def test_the_key_is_in_the_agent_and_on_no_disk_and_nothing_stays(session: ssh.SshSession) -> None:
    with session:
        folder = session.config.parent
        agent = {**os.environ, "SSH_AUTH_SOCK": str(folder / "agent")}
        listed = subprocess.run(
            ["ssh-add", "-L"], env=agent, capture_output=True, text=True, check=True
        ).stdout
        assert listed.split()[:2] == KEYS["publicKey"].split()[:2] == session.public_key.split()
        written = [path for path in folder.rglob("*") if path.is_file()]
        assert written == [session.config]
        assert "User x\n" in session.config.read_text()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert subprocess.run(["ssh-add", "-L"], env=agent, capture_output=True, check=False).returncode == 2


def test_a_text_that_is_no_key_is_not_shown() -> None:
    with pytest.raises(PipelineError, match="not an OpenSSH key") as caught:
        ssh.SshSession(private_key="very private", user="x", lifetime=1)
    assert "very private" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_agent_that_does_not_take_the_key(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ssh-add").write_text("#!/bin/sh\necho 'agent refused operation' >&2\nexit 1\n")
    (tmp_path / "ssh-add").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(PipelineError, match="does not take the validation key") as caught, session:
        pass
    assert "agent refused operation" in str(caught.value)
    assert not session.config.parent.exists()


def test_a_machine_without_openssh(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match="ssh is not on PATH"), session:
        pass


def test_a_command_and_its_end(session: ssh.SshSession, fake_ssh: Callable[[str], Path]) -> None:
    calls = fake_ssh('test "$4" != fail || { echo no >&2; exit 3; }; cat; echo done')
    with session:
        config = session.config
        done = session.run("192.0.2.1", ["uptime"], timeout=60)
        assert (done.returncode, done.stdout) == (0, "done\n")
        assert session.run("192.0.2.1", ["fail"], timeout=60).stderr == "no\n"
        fed = session.read("192.0.2.1", ["sudo", "sh"], stdin=b"\xff", timeout=60)
        assert fed.stdout == b"\xffdone\n"
    assert calls.read_text().splitlines() == [
        f"-F {config} 192.0.2.1 uptime",
        f"-F {config} 192.0.2.1 fail",
        f"-F {config} 192.0.2.1 sudo sh",
        # The connection that all of them share ends with the session.
        f"-F {config} 192.0.2.1 -O exit",
    ]


def test_a_stream_is_handed_on_as_it_comes(session: ssh.SshSession, fake_ssh: Callable[[str], Path]) -> None:
    fake_ssh("read line; echo got $line; read gone; echo end")
    with session.stream("192.0.2.1", "sh", stdin=b"one\n", deadline=Deadline(60)) as chunks:
        assert b"".join(chunks) == b"got one\nend\n"


def test_a_stream_that_fails_says_what_the_machine_said(
    session: ssh.SshSession, fake_ssh: Callable[[str], Path]
) -> None:
    fake_ssh("echo half; echo 'disk is gone' >&2; exit 5")
    with (
        pytest.raises(PipelineError, match=r"a command on 192\.0\.2\.1 failed") as caught,
        session.stream("192.0.2.1", "sh", stdin=b"", deadline=Deadline(60)) as chunks,
    ):
        assert b"".join(chunks) == b"half\n"
    assert caught.value.seen == "exit status 5: disk is gone"
    fake_ssh("echo 'disk is gone' >&2; exit 5")
    with (
        pytest.raises(PipelineError, match="the list ends early") as caught,
        session.stream("192.0.2.1", "sh", stdin=b"", deadline=Deadline(60)),
    ):
        raise PipelineError("the list ends early")
    assert caught.value.seen == "exit status 5: disk is gone"


@pytest.mark.parametrize("closes", [False, True], ids=["silent", "closed"])
def test_a_stream_that_does_not_end(
    session: ssh.SshSession, fake_ssh: Callable[[str], Path], *, closes: bool
) -> None:
    fake_ssh("exec >&- ; exec sleep 900" if closes else "exec sleep 900")
    begun = time.monotonic()
    with (
        pytest.raises(TimeoutError),
        session.stream("192.0.2.1", "sh", stdin=b"", deadline=Deadline(0.2)) as chunks,
    ):
        list(chunks)
    assert time.monotonic() - begun < 60, "it is killed, not waited for"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Lets connections to port 22 of the machine end as the test says, the last one's way for ever."""
    tried: list[Any] = []

    def make(*answers: Any) -> list[Any]:
        left = list(answers)

        def connect(address: Any, timeout: float) -> Any:
            tried.append(address)
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, OSError):
                raise answer
            return answer

        monkeypatch.setattr(socket, "create_connection", connect)
        return tried

    return make


def test_a_port_that_answers_late(
    session: ssh.SshSession, port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "STATE_EVERY_SECONDS", 0)
    tried = port(ConnectionRefusedError("refused"), ConnectionRefusedError("refused"), socket.socket())
    asked: list[int] = []
    session.wait_for_port(CLONE, Deadline(60), lambda: asked.append(1))
    assert tried == [("192.0.2.1", 22)] * 3
    assert len(asked) == 2, "whether waiting makes sense is asked between the tries"


def test_a_port_that_never_answers(session: ssh.SshSession, port: Any) -> None:
    port(ConnectionRefusedError("refused"))
    with pytest.raises(PipelineError, match=r"i-1 .* never answered on TCP port 22") as caught:
        session.wait_for_port(CLONE, Deadline(1), lambda: None)
    assert "refused for 1 s" in str(caught.value)
    assert "the console output in the log, above" in str(caught.value), "an error comes last"


def test_waiting_ends_where_it_is_pointless(
    session: ssh.SshSession, port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise PipelineError("it is stopped")

    monkeypatch.setattr(ssh, "STATE_EVERY_SECONDS", 0)
    port(ConnectionRefusedError("refused"))
    with pytest.raises(PipelineError, match="it is stopped"):
        session.wait_for_port(CLONE, Deadline(60), gone)
    answering(session, monkeypatch, REFUSED)
    with pytest.raises(PipelineError, match="it is stopped"):
        session.wait_for_boot(CLONE, Deadline(60), gone)


def test_a_machine_whose_systemd_does_not_answer_yet_is_asked_again(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = answering(session, monkeypatch, REFUSED, DENIED, NO_BUS, NO_BUS, RUNNING)
    assert session.wait_for_boot(CLONE, Deadline(300), lambda: None) == "running"
    assert left == [RUNNING]


def test_a_machine_whose_systemd_never_answers(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(session, monkeypatch, NO_BUS)
    with pytest.raises(PipelineError, match=r"i-1 .* never reported its boot's end") as caught:
        session.wait_for_boot(CLONE, Deadline(0.1), lambda: None)
    assert "Failed to connect to bus" in str(caught.value)


def test_a_machine_that_never_lets_us_in(session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(session, monkeypatch, REFUSED)
    with pytest.raises(PipelineError, match="never let us in over SSH") as caught:
        session.wait_for_boot(CLONE, Deadline(0.1), lambda: None)
    assert "Connection refused" in str(caught.value)


def test_a_key_that_is_refused_is_given_up_long_before_the_deadline(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "DENIED_SECONDS", 0.05)
    answering(session, monkeypatch, DENIED)
    deadline = Deadline(600)
    with pytest.raises(PipelineError) as caught:
        session.wait_for_boot(CLONE, deadline, lambda: None)
    assert "golden-image:validation.sshUser" in str(caught.value)
    assert "Permission denied" in str(caught.value)
    assert deadline.elapsed() < 300


@pytest.mark.parametrize(
    ("jobs", "seen"),
    [
        (subprocess.CompletedProcess([], 0, " 7 cloud-final.service start running\n", ""), "cloud-final"),
        (subprocess.TimeoutExpired([], 10), "no word from systemd"),
    ],
)
def test_a_boot_that_does_not_end_names_what_it_waits_for(
    session: ssh.SshSession, monkeypatch: pytest.MonkeyPatch, jobs: Any, seen: str
) -> None:
    answering(session, monkeypatch, subprocess.TimeoutExpired([], 1), jobs)
    with pytest.raises(PipelineError, match="did not finish its boot within 60 s") as caught:
        session.wait_for_boot(CLONE, Deadline(60), lambda: None)
    assert seen in str(caught.value)
