"""A way into validation machines that leaves no key behind: an agent that holds it, and one connection each."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pipeline.errors import PipelineError
from pipeline.processes import dies_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from types import TracebackType

    from pipeline.machines.clones import Clone
    from pipeline.machines.deadline import Deadline

POLL_SECONDS = 0.2
STATE_EVERY_SECONDS = 3.0
DENIED_SECONDS = 30.0
"""How long a machine may refuse the key after its sshd first answered: cloud-init may come second."""

AGENT_SLACK_SECONDS = 60
SSH_FAILED = 255  # ssh(1), EXIT STATUS
WAY_IN = "check the console output in the log, and golden-image:validation.sshUser in the stack file"

_CONFIG = """\
Host *
  User {user}
  IdentityAgent {folder}/agent
  PreferredAuthentications publickey
  BatchMode yes
  StrictHostKeyChecking accept-new
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  LogLevel ERROR
  ConnectTimeout 5
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ControlMaster auto
  ControlPath {folder}/%h
  ControlPersist 30s
"""


def _public(private_key: str) -> str:
    """The public half, as authorized_keys has it."""
    from cryptography.hazmat.primitives import serialization as form

    try:
        key = form.load_ssh_private_key(private_key.encode(), password=None)
    except ValueError:
        # Not its text: the plan's key is secret.
        raise PipelineError("the plan's private key is not an OpenSSH key") from None
    return key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH).decode()


def _chunks(descriptor: int, deadline: Deadline) -> Iterator[bytes]:
    while True:
        if not select.select([descriptor], [], [], deadline.remaining())[0]:
            raise TimeoutError
        chunk = os.read(descriptor, 1 << 16)
        if not chunk:
            return
        yield chunk


class SshSession:
    """SSH to validation machines with a key that is on no disk.

    Args:
        private_key: In OpenSSH's format.
        user: The user that the image gives the key to.
        lifetime: Seconds after which the agent forgets the key by itself.
    """

    def __init__(self, *, private_key: str, user: str, lifetime: float) -> None:
        self.user = user
        self._key = private_key
        self._lifetime = int(lifetime) + AGENT_SLACK_SECONDS
        self._agent: subprocess.Popen[str] | None = None
        self._opened: list[str] = []
        self._folder = Path()
        self.public_key = _public(private_key)

    @property
    def config(self) -> Path:
        """The ssh_config that every connection uses."""
        return self._folder / "ssh_config"

    def __enter__(self) -> Self:
        """Start the agent.

        Raises:
            PipelineError: OpenSSH is not installed, or it does not take the key.
        """
        for tool in ("ssh", "ssh-agent", "ssh-add", "ssh-keyscan"):
            if shutil.which(tool) is None:
                raise PipelineError(f"{tool} is not on PATH", change="install OpenSSH's client")
        # A short path, for a Unix socket's has room for about a hundred characters.
        self._folder = Path(tempfile.mkdtemp(prefix="golden-image-", dir="/tmp"))
        self.config.write_text(_CONFIG.format(user=self.user, folder=self._folder))
        try:
            self._start_agent()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End connections and agent."""
        self._close()

    def _start_agent(self) -> None:
        agent = self._folder / "agent"
        self._agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(agent)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
            preexec_fn=dies_with_parent,  # noqa: PLW1509 - there are no threads yet
        )  # fmt: skip
        assert self._agent.stdout is not None  # asked for above
        self._agent.stdout.readline()  # printed once the socket is there
        added = subprocess.run(
            ["ssh-add", "-q", "-t", str(self._lifetime), "-"], input=self._key,
            env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if added.returncode != 0:
            raise PipelineError("ssh-agent does not take the validation key", seen=added.stderr.strip())

    def _close(self) -> None:
        for address in self._opened:
            self.forget(address)
        if self._agent is not None:
            self._agent.terminate()
            self._agent.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def forget(self, address: str) -> None:
        """End the connection to a machine that reboots; the next command opens another."""
        subprocess.run([*self._ssh(address), "-O", "exit"], capture_output=True, check=False)

    def _ssh(self, address: str) -> list[str]:
        return ["ssh", "-F", str(self.config), address]

    def run(
        self, address: str, command: Sequence[str], *, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        if address not in self._opened:
            self._opened.append(address)
        return subprocess.run(
            [*self._ssh(address), *command], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=timeout, check=False,
        )  # fmt: skip

    def read(
        self, address: str, command: Sequence[str], *, stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command that is fed with bytes and prints bytes.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        return subprocess.run(
            [*self._ssh(address), *command], input=stdin, capture_output=True, timeout=timeout, check=False
        )

    @contextlib.contextmanager
    def stream(
        self, address: str, command: str, *, stdin: bytes, deadline: Deadline
    ) -> Generator[Iterator[bytes]]:
        """Run a command that is fed with bytes, and hand on what it prints as it comes.

        Raises:
            TimeoutError: The deadline came first.
            PipelineError: The command failed.
        """
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                [*self._ssh(address), command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, bufsize=0,
            ) as process,
        ):  # fmt: skip
            assert process.stdin is not None  # asked for above
            assert process.stdout is not None
            wrong: PipelineError | None = None
            try:
                with contextlib.suppress(BrokenPipeError), process.stdin as fed:
                    fed.write(stdin)
                try:
                    yield _chunks(process.stdout.fileno(), deadline)
                except PipelineError as error:
                    # What the command itself has to say explains it.
                    wrong = error
                process.stdout.close()
                status = process.wait(deadline.remaining() or 1)
            except subprocess.TimeoutExpired:
                raise TimeoutError from None
            finally:
                process.kill()
            if status != 0 or wrong:
                errors.seek(0)
                text = errors.read().decode(errors="replace").strip()
                raise PipelineError(
                    wrong.what if wrong else f"a command on {address} failed",
                    seen=f"exit status {status}: {text[-600:]}",
                ) from wrong

    def wait_for_port(self, clone: Clone, deadline: Deadline, alive: Callable[[], None]) -> None:
        """Return once TCP port 22 answers.

        Args:
            clone: The machine.
            deadline: When to give up.
            alive: Asked every few seconds; raises if waiting is pointless.

        Raises:
            PipelineError: It never did.
        """
        asked = time.monotonic()
        error: OSError | None = None
        while not deadline.passed():
            try:
                with socket.create_connection((clone.address, 22), timeout=1):
                    return
            except OSError as failure:
                error = failure
            if time.monotonic() - asked > STATE_EVERY_SECONDS:
                alive()
                asked = time.monotonic()
            time.sleep(POLL_SECONDS)
        raise PipelineError(
            f"{clone} never answered on TCP port 22",
            seen=f"{error} for {deadline.seconds:.0f} s",
            allowed="an answer within golden-image:validation.timeoutSeconds",
            change="check the console output in the log, above; if the machine booted, check that this host has a "
            "route to it and is in golden-image:validation.allowedCidr",
        )

    def wait_for_boot(self, clone: Clone, deadline: Deadline, alive: Callable[[], None]) -> str:
        """Return systemd's word for the machine (``running``, ``degraded`` …) once its boot has ended.

        One command waits on the machine itself; it is repeated only while sshd does not let us in yet.

        Raises:
            PipelineError: It refuses the login, or its boot never ended.
        """
        command = ["systemctl", "is-system-running", "--wait"]
        denied: float | None = None
        while True:
            try:
                done = self.run(clone.address, command, timeout=deadline.remaining() or POLL_SECONDS)
            except subprocess.TimeoutExpired:
                raise self._never_booted(clone, deadline) from None
            # Without a word systemd does not answer yet: its bus is not there at the beginning of a boot.
            if done.returncode != SSH_FAILED and done.stdout.strip():
                return done.stdout.strip()
            now = time.monotonic()
            if "Permission denied" in done.stderr:
                denied = denied or now
                if now - denied > min(DENIED_SECONDS, deadline.seconds / 2) or deadline.passed():
                    raise PipelineError(
                        f"{clone} refuses SSH login for user {self.user} with the instance's key",
                        seen=done.stderr.strip(),
                        allowed="the image's default user, to whom cloud-init gives the key",
                        change="golden-image:validation.sshUser in the stack file (ec2-user, admin on Debian, "
                        "ubuntu); or the image: does cloud-init run at boot?",
                    )
            if deadline.passed():
                what = "let us in over SSH" if done.returncode == SSH_FAILED else "reported its boot's end"
                raise PipelineError(f"{clone} never {what}", seen=done.stderr.strip(), change=WAY_IN)
            alive()
            time.sleep(POLL_SECONDS)

    def _never_booted(self, clone: Clone, deadline: Deadline) -> PipelineError:
        jobs = ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            jobs = self.run(clone.address, ["systemctl", "list-jobs", "--no-legend"], timeout=10).stdout
        return PipelineError(
            f"{clone} did not finish its boot within {deadline.seconds:.0f} s",
            seen=jobs.strip() or "no word from systemd",
            change="check the console output in the log; golden-image:validation.timeoutSeconds is the deadline",
        )
