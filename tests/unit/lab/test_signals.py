"""Who would hear a signal."""

import signal
import subprocess
import sys

import pytest

from lab.signals import hears

SAY = "print('ready', flush=True); input()"


@pytest.mark.parametrize(
    ("doing", "expected"),
    [
        ("signal.signal(signal.SIGRTMIN + 4, lambda *_: None)", True),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN + 4})", True),
        ("signal.signal(signal.SIGRTMIN + 4, signal.SIG_IGN)", False),
        ("pass", False),
    ],
)
def test_hears(doing: str, *, expected: bool) -> None:
    code = f"import signal\n{doing}\n{SAY}"
    argv = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert hears(process.pid, signal.SIGRTMIN + 4) is expected
        process.communicate("\n")
    assert not hears(process.pid, signal.SIGRTMIN + 4), "it is gone"
