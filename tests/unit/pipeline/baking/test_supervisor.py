"""An interrupted command cleans up, whoever died."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from pipeline.baking import packer, supervisor

# Like Packer: a wrapper that leaves SIGINT to its child, hands SIGTERM on, and ends as the child ends.
COMMAND = """
import os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
child = 0
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
def clean_up(number, _):
    with (here / "signals").open("a") as signals:
        signals.write(signal.Signals(number).name + "\\n")
    if sys.argv[2] == "obedient":
        print("cleaned up", flush=True)
        (here / "clean").touch()
        sys.exit(1)
signal.signal(signal.SIGINT, clean_up)
signal.signal(signal.SIGTERM, clean_up)
print("started", flush=True)
while True:
    time.sleep(0.05)
"""


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


@contextmanager
def supervised(
    tmp_path: Path,
    *,
    manner: str = "obedient",
    watch: tuple[tuple[int, float], ...] = (),
    grace: float = 30,
    limit: float | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    options = supervisor.Options(str(tmp_path / "log"), watch, grace, limit)
    command = [sys.executable, "-c", COMMAND, str(tmp_path), manner]
    with subprocess.Popen(
        supervisor.command_line(options, command),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_status_and_output_of_a_command_that_ends(tmp_path: Path) -> None:
    options = supervisor.Options(str(tmp_path / "log"), (), 30)
    command = [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"]
    done = subprocess.run(
        supervisor.command_line(options, command), stdin=subprocess.PIPE, capture_output=True, check=False
    )
    # An empty stdin is an end of file at once, so give it a lifeline of its own.
    assert done.returncode in {7, supervisor.INTERRUPTED}
    read, write = os.pipe()
    done = subprocess.run(
        supervisor.command_line(options, command), stdin=read, capture_output=True, check=False
    )
    os.close(write)
    os.close(read)
    assert done.returncode == 7
    assert sorted(done.stdout.split()) == [b"err", b"out"]


def test_temporary_files_go_with_the_command(tmp_path: Path) -> None:
    options = supervisor.Options(str(tmp_path / "log"), (), 1)
    script = "import pathlib, tempfile; f = tempfile.mkstemp(prefix='key')[1]; print(f)"
    read, write = os.pipe()
    done = subprocess.run(
        supervisor.command_line(options, [sys.executable, "-c", script]),
        stdin=read, capture_output=True, text=True, check=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    os.close(read)
    os.close(write)
    assert done.stdout.startswith(str(tmp_path / "bake-"))
    assert not Path(done.stdout.strip()).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


def test_what_a_killed_supervisor_left_goes_with_the_next(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    names = (f"bake-{gone.pid}-abc", f"bake-{os.getpid()}-def", "bake-else", "bake-x-y")
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / "ansible-key1").write_text("a key")
    supervisor.remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_the_lifeline_ends(tmp_path: Path) -> None:
    with supervised(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == supervisor.INTERRUPTED
    assert (tmp_path / "signals").read_text() == "SIGINT\n"
    assert (tmp_path / "clean").exists()
    log = (tmp_path / "log").read_text()
    assert "the step is gone" in log
    assert "cleaned up" in log


def test_the_engine_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as engine:
        watch = ((engine.pid, psutil.Process(engine.pid).create_time()),)
        with supervised(tmp_path, watch=watch) as process:
            engine.kill()
            assert process.wait(120) == supervisor.INTERRUPTED
    assert (tmp_path / "clean").exists()
    assert "pulumi is gone" in (tmp_path / "log").read_text()


def test_the_supervisor_itself_is_killed(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel tells a child of its parent's death on Linux only")
    with supervised(tmp_path) as process:
        process.kill()
        wait_for((tmp_path / "clean").exists)


def test_a_command_that_does_not_obey_is_killed_after_its_grace(tmp_path: Path) -> None:
    with supervised(tmp_path, manner="stubborn", grace=0.2) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(120) == supervisor.INTERRUPTED
    assert (tmp_path / "signals").read_text() == "SIGINT\n"
    assert "killing it" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(("manner", "grace"), [("obedient", 30), ("stubborn", 0.2)])
def test_after_the_limit_the_command_is_interrupted_and_then_killed(
    tmp_path: Path, manner: str, grace: float
) -> None:
    with supervised(tmp_path, manner=manner, grace=grace, limit=1) as process:
        assert process.wait(120) == supervisor.TIMED_OUT
    assert (tmp_path / "signals").read_text() == "SIGINT\n"
    assert (tmp_path / "clean").exists() == (manner == "obedient")
    assert "it has reached its time limit" in (tmp_path / "log").read_text()


STEP = """
import pathlib, sys
from pipeline.baking import packer, supervisor
folder = pathlib.Path(sys.argv[1])
with packer.only_one(folder) as lock:
    argv = [sys.executable, "-c", sys.argv[2], str(folder), "obedient"]
    options = supervisor.Options(str(folder / "log"), supervisor.engine_processes(), packer.GRACE_SECONDS)
    packer._supervised(argv, options, lock, folder / "shown")
"""


def test_a_killed_step_keeps_its_lock_until_the_command_has_cleaned_up(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STEP, str(tmp_path), COMMAND], stderr=subprocess.PIPE
    ) as step:
        assert step.stderr is not None
        assert step.stderr.readline().endswith(b" s  started\n")
        step.send_signal(signal.SIGKILL)
        # Nobody else holds the step's stderr: the engine's call returns at once.
        assert step.stderr.read() == b""
        step.wait(120)
        with packer.only_one(tmp_path):
            assert (tmp_path / "clean").exists()


def test_the_second_bake_says_that_it_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with subprocess.Popen(
            [sys.executable, "-c", STEP, str(tmp_path), "print('done')"], stderr=subprocess.PIPE
        ) as step:
            assert step.stderr is not None
            assert b"waiting for it" in step.stderr.readline()
            fcntl.flock(held, fcntl.LOCK_UN)
            assert step.stderr.read().endswith(b" s  done\n")
            assert step.wait(120) == 0


def test_a_person_runs_the_step() -> None:
    assert supervisor.engine_processes() == ()
