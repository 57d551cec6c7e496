"""Keeps the lab's process, and takes away what the kernel would not: bridge, nftables table, control groups.

Two processes watch each other through a pipe. When the server dies, the keeper clears up; when the keeper
dies, the server notices, stops its machines and clears up itself. Only the death of both at once leaves a
bridge and a table, and the next start clears those.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from lab import base_image, cgroups, host, leftovers, network, switches
from lab import settings as lab_settings
from lab.errors import LabError
from lab.held import Held
from pipeline.processes import ENDING, hear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from lab.settings import LabSettings

STOP_SECONDS = 90.0
POLL_SECONDS = 0.1


class Part(IntEnum):
    """What there is of a lab that is up."""

    KEEPER = 0
    SERVER = 1
    ANSWERS = 2
    """Held by the server from its first answer to its last."""


def parts(settings: LabSettings) -> Held:
    """Who is there of a lab. Beside the lab's folder, which `reset` removes."""
    return Held(settings.state_dir.with_suffix(".parts"))


def running(settings: LabSettings) -> bool:
    """Whether a lab is up and answers."""
    return parts(settings).holder(Part.ANSWERS) is not None


def _processes(settings: LabSettings) -> dict[Part, int]:
    """Those of the lab that are there, also while it starts or stops."""
    there = {part: parts(settings).holder(part) for part in (Part.KEEPER, Part.SERVER)}
    return {part: pid for part, pid in there.items() if pid is not None}


@contextmanager
def _turn(settings: LabSettings) -> Iterator[None]:
    """One command at a time starts, stops or removes a lab; the others wait."""
    path = settings.state_dir.with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(
                f"lab {settings.name}: waiting for another command that starts or stops it", file=sys.stderr
            )
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clear(settings: LabSettings) -> None:
    """Take away what a lab of this name left on the host."""
    network.down(settings)
    if network.is_last(settings):
        switches.put_back(settings)
    cgroups.remove(settings.cgroup)


def _require_host(hint: str) -> None:
    problem = host.missing_requirement()
    if problem:
        raise LabError(problem, hint=hint)


def up(settings: LabSettings) -> bool:
    """Start the lab and wait until it answers; one that is being stopped is waited for.

    Returns:
        False if it was up already.

    Raises:
        LabError: The host cannot run it, or it did not start.
    """
    _require_host("run it as root on a Debian 12 or Ubuntu host")
    with _turn(settings):
        _wait(settings, until=lambda: running(settings) or not _processes(settings), what="start or end")
        if running(settings):
            return False
        settings.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
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
    try:
        with os.fdopen(ready_read, "rb") as ready:
            answer = ready.readline()  # ends with the lab's word, or with the death of both processes
    except BaseException:
        keeper.terminate()
        keeper.wait(STOP_SECONDS)
        raise
    if not answer:
        keeper.wait(STOP_SECONDS)
        with settings.log_file.open("rb") as log:
            log.seek(start_of_log)
            tail = log.read().decode(errors="replace").splitlines()[-6:]
        raise LabError(
            "the lab did not start:\n  " + "\n  ".join(tail), hint=f"the whole log: {settings.log_file}"
        )


def _wait(settings: LabSettings, *, until: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while not until():
        if time.monotonic() > deadline:
            pids = " ".join(map(str, [*_processes(settings).values(), *cgroups.processes(settings.cgroup)]))
            raise LabError(
                f"the lab (process {pids}) did not {what} within {STOP_SECONDS:.0f} s",
                hint=f"see {settings.log_file}; kill -KILL {pids} ends it",
            )
        time.sleep(POLL_SECONDS)


def down(settings: LabSettings) -> bool:
    """Stop the lab and all its machines; what it knows is kept for the next start.

    Returns:
        False if it was not up (what a crashed one left is cleared all the same).

    Raises:
        LabError: It did not end in time.
    """
    _require_host("run it as root on the host that runs the lab")
    with _turn(settings):
        return _stop(settings)


def _stop(settings: LabSettings) -> bool:
    there = _processes(settings)
    if Part.KEEPER in there:
        with contextlib.suppress(ProcessLookupError):
            os.kill(there[Part.KEEPER], signal.SIGTERM)
    # A server whose keeper was killed ends by itself, and the kernel ends the machines of one that was killed.
    _wait(
        settings,
        until=lambda: not _processes(settings) and not cgroups.processes(settings.cgroup),
        what="end",
    )
    clear(settings)
    return bool(there)


def reset(settings: LabSettings) -> None:
    """Stop the lab and remove its folder, whatever is in it.

    Raises:
        LabError: It did not end in time, or something of it is left.
    """
    _require_host("run it as root on the host that runs the lab")
    with _turn(settings):
        _stop(settings)
        mounts = leftovers.find(settings)["mounts"]
        if mounts:
            raise LabError(
                f"{', '.join(mounts)}: still mounted", hint="umount, before all below it is removed"
            )
        try:
            if settings.state_dir.is_dir() and not settings.state_dir.is_symlink():
                shutil.rmtree(settings.state_dir)
            else:
                settings.state_dir.unlink(missing_ok=True)
        except OSError as error:
            raise LabError(
                f"{settings.state_dir} cannot be removed: {error}", hint="remove it by hand"
            ) from error


def keep(ready_write: int) -> int:
    """Run the server until it ends or SIGTERM comes; returns its exit status."""
    hear(*ENDING)
    settings = lab_settings.load()
    server_read, keeper_write = os.pipe()
    lifelines = [keeper_write]

    def end(_signal: int, _frame: FrameType | None) -> None:
        # The server sees the pipe close, stops the machines in order, and ends.
        while lifelines:
            os.close(lifelines.pop())

    signal.signal(signal.SIGTERM, end)
    held = parts(settings)
    if not held.take(Part.KEEPER):
        print(f"lab: {settings.name} has a keeper already", file=sys.stderr)
        return 1
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
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        status = server.wait()
    except LabError as error:
        print(error, file=sys.stderr)
    finally:
        clear(settings)
    return status


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1])))
