"""Keeps the lab's process, and takes away what the kernel would not: bridge, nftables table, control groups.

Two processes watch each other through a pipe. When the server dies, the keeper clears up; when the keeper
dies, the server notices, stops its machines and clears up itself. Only the death of both at once leaves a
bridge and a table, and the next start clears those.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lab import base_image, cgroups, host, network, switches
from lab import settings as lab_settings
from lab.errors import LabError
from pipeline.processes import ENDING, hear

if TYPE_CHECKING:
    from types import FrameType

    from lab.settings import LabSettings

STOP_SECONDS = 90.0


def _pid_file(settings: LabSettings) -> Path:
    return settings.state_dir / "keeper.json"


def running(settings: LabSettings) -> psutil.Process | None:
    """The keeper of a lab that is up; None if there is none.

    A process id alone may have been given to somebody else's process since, so its start time counts too.
    """
    path = _pid_file(settings)
    if not path.exists():
        return None
    record = json.loads(path.read_text())
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record["pid"])
        if process.create_time() == record["created"] and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def clear(settings: LabSettings) -> None:
    """Take away what a lab of this name left on the host."""
    network.down(settings)
    if network.is_last(settings):
        switches.put_back(settings)
    cgroups.remove(settings.cgroup)
    _pid_file(settings).unlink(missing_ok=True)


def up(settings: LabSettings) -> bool:
    """Start the lab and wait until it answers.

    Returns:
        False if it was up already.

    Raises:
        LabError: The host cannot run it, or it did not start.
    """
    problem = host.missing_requirement()
    if problem:
        raise LabError(problem, hint="run it as root on a Debian 12 or Ubuntu host")
    settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.state_dir / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two starts at once: the second finds the first one's lab
        if running(settings):
            return False
        host.check(settings)
        network.check(settings)
        clear(settings)
        base_image.ensure()
        _start(settings)
    return True


def _start(settings: LabSettings) -> None:
    ready_read, ready_write = os.pipe()
    with settings.log_file.open("ab") as log:
        start_of_log = log.tell()
        keeper = subprocess.Popen(
            [sys.executable, "-m", "lab.keeper", str(ready_write)],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[ready_write], start_new_session=True,
        )  # fmt: skip
    os.close(ready_write)
    with os.fdopen(ready_read, "rb") as ready:
        answer = ready.readline()  # ends with the lab's word, or with the death of both processes
    if not answer:
        keeper.wait(STOP_SECONDS)
        with settings.log_file.open("rb") as log:
            log.seek(start_of_log)
            tail = log.read().decode(errors="replace").splitlines()[-6:]
        raise LabError(
            "the lab did not start:\n  " + "\n  ".join(tail), hint=f"the whole log: {settings.log_file}"
        )


def down(settings: LabSettings) -> bool:
    """Stop the lab and all its machines; what it knows is kept for the next start.

    Returns:
        False if it was not up (what a crashed one left is cleared all the same).

    Raises:
        LabError: It did not end in time.
    """
    problem = host.missing_requirement()
    if problem:
        raise LabError(problem, hint="run it as root on the host that runs the lab")
    keeper = running(settings)
    if keeper is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            keeper.terminate()
            try:
                keeper.wait(STOP_SECONDS)
            except psutil.TimeoutExpired as error:
                raise LabError(
                    f"the lab (process {keeper.pid}) did not end within {STOP_SECONDS:.0f} s",
                    hint=f"see {settings.log_file}; kill -KILL {keeper.pid} ends it",
                ) from error
    clear(settings)
    return keeper is not None


def keep(ready_write: int) -> int:
    """Run the server until it ends or SIGTERM comes; returns its exit status."""
    hear(*ENDING)
    settings = lab_settings.load()
    server_read, keeper_write = os.pipe()
    status = 1
    try:
        network.up(settings)
        switches.turn(settings)
        server = subprocess.Popen(
            [
                "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
                sys.executable, "-m", "lab.server", str(server_read), str(ready_write),
            ],
            pass_fds=[server_read, ready_write],
        )  # fmt: skip
        os.close(server_read)
        os.close(ready_write)

        def end(_signal: int, _frame: FrameType | None) -> None:
            # The server sees the pipe close, stops the machines in order, and ends.
            with contextlib.suppress(OSError):
                os.close(keeper_write)

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, end)
        me = psutil.Process()
        _pid_file(settings).write_text(json.dumps({"pid": me.pid, "created": me.create_time()}))
        status = server.wait()
    except LabError as error:
        print(error, file=sys.stderr)
    finally:
        clear(settings)
    return status


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1])))
