"""What a caller ignores is heard again: a shell's background job ignores SIGINT, and its children inherit it."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
REPORT = """
import pathlib, re
def report(*_):
    mask = int(re.search(r"SigIgn:\\s*(\\w+)", pathlib.Path("/proc/self/status").read_text())[1], 16)
    print(*(name for name in ("SIGINT", "SIGTERM", "SIGHUP") if mask >> (getattr(signal, name) - 1) & 1), flush=True)
    raise SystemExit(0)
"""


def under_ignored(code: str, *ignored: str) -> subprocess.CompletedProcess[str]:
    """Run Python code whose caller ignores these signals."""
    argv = [
        "env",
        f"--ignore-signal={','.join(ignored)}",
        sys.executable,
        "-c",
        f"import signal{REPORT}{code}",
    ]
    return subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)


def test_the_caller_ignores_them() -> None:
    assert under_ignored("report()", "INT", "TERM", "HUP").stdout == "SIGINT SIGTERM SIGHUP\n"


@pytest.mark.parametrize(
    ("code", "still_ignored"),
    [
        ("from pipeline.processes import hear, ENDING; hear(*ENDING); report()", ""),
        ("from lab import demo; demo.lab_of = report; demo.main()", "SIGHUP"),
        ("from tests import bench; bench.lab_of = report; bench.main()", "SIGHUP"),
        ("from lab import keeper; keeper.lab_settings.load = report; keeper.keep(1)", ""),
        ("import tests.conftest; report()", "SIGHUP"),
        ("from pipeline.baking import supervisor; supervisor._prepare_command(); report()", ""),
    ],
    ids=["helper", "demo", "bench", "keeper", "tests", "supervisor's command"],
)
def test_what_starts_processes_hears_again(code: str, still_ignored: str) -> None:
    done = under_ignored(code, "INT", "TERM", "HUP")
    assert (done.stdout.strip(), done.returncode) == (still_ignored, 0), done.stderr


def test_sigint_then_is_an_interruption() -> None:
    code = """
from pipeline.processes import hear
hear(signal.SIGINT)
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert under_ignored(code, "INT").stdout == "interrupted\n"


def test_a_handler_that_is_there_stays() -> None:
    code = "from pipeline.processes import hear; signal.signal(signal.SIGINT, report); hear(signal.SIGINT)"
    done = under_ignored(f"{code}; signal.raise_signal(signal.SIGINT); print('not heard')", "INT")
    assert done.stdout == "\n"
