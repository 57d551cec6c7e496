"""A line that is too long for the command plugin: the engine's call ends all the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

from lab.workbench import Workbench

END_SECONDS = 300
"""It takes a few; a line that stops the engine's call stops it for ever."""
LONG = 100 * 1024

PACKER = f"""#!{sys.executable}
import sys
if sys.argv[1] == "version":
    print("Packer v1.16.0")
if sys.argv[1] == "build":
    print("==> web-base: a task failed", flush=True)
    print("x" * {LONG} + "end", flush=True)
    sys.exit(1)
"""


def test_a_bake_that_prints_one_ends_and_its_log_keeps_all_of_it(bench: Workbench, tmp_path: Path) -> None:
    fake = tmp_path / "packer"
    fake.write_text(PACKER)
    fake.chmod(0o755)
    bench.set_version("11.1.0")
    argv = bench.pulumi_argv("up", "dev", "--yes", "--skip-preview")
    path = os.pathsep.join([str(tmp_path), bench.env["PATH"]])
    with bench.start(*argv, env={"PATH": path, "XDG_STATE_HOME": str(tmp_path / "state")}) as process:
        try:
            output, _ = process.communicate(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            raise
    assert process.returncode != 0
    assert "the bake failed" in output
    # Before each line stand the seconds that the bake has taken so far.
    assert re.search(rf"… \(cut: {LONG + 3 + len('   1 s  ')} characters\)", output)
    assert max(map(len, output.splitlines())) < LONG
    (kept,) = (tmp_path / "state").rglob("packer.log")
    assert "x" * LONG + "end" in kept.read_text()
