"""Who holds a lock, and that the kernel takes it back."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from lab.held import Held

HOLD = """
import sys
from pathlib import Path
from lab.held import Held
held = Held(Path(sys.argv[1]))
print(held.take(1), flush=True)
for line in sys.stdin:
    held.release(1)
    print("released", flush=True)
"""
PROJECT = Path(__file__).resolve().parents[3]


def holder(path: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", HOLD, str(path)]
    return subprocess.Popen(
        argv, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


def test_another_process_is_named_until_it_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "lab.parts"
    assert Held(path).holder(1) is None, "there is no file yet"
    with holder(path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert (Held(path).holder(0), Held(path).holder(1)) == (None, process.pid)
        with closing(Held(path)) as other:
            assert not other.take(1)
            assert other.take(0)
        process.stdin.write("\n")
        assert process.stdout.readline() == "released\n"
        assert Held(path).holder(1) is None
        process.stdin.close()


def test_a_killed_process_holds_nothing_and_the_content_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "lab.parts"
    path.write_text('{"pid": 4')
    with holder(path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert Held(path).holder(1) == process.pid
        process.send_signal(signal.SIGKILL)
    assert Held(path).holder(1) is None
    with closing(Held(path)) as other:
        assert other.take(1)
