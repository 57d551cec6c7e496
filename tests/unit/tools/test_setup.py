"""`tools/setup.py` refuses what cannot work here before it makes anything."""

import os
import subprocess
import sys
from pathlib import Path

from tools.venv import PROJECT


def test_a_demo_where_no_lab_can_run_is_refused_at_once(tmp_path: Path) -> None:
    """As another user than root; where there is no Linux, that is the reason."""
    cache = tmp_path / "cache"
    unshare = ["unshare", "--user"] if sys.platform == "linux" and os.geteuid() == 0 else []
    refused = subprocess.run(
        [*unshare, sys.executable, "tools/setup.py", "--demo"], cwd=PROJECT,
        env={**os.environ, "GOLDEN_IMAGE_CACHE": str(cache)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 1
    assert refused.stderr.startswith("set-up: error: the lab ")
    assert (
        "which needs root; this is user id" if sys.platform == "linux" else "needs Linux"
    ) in refused.stderr
    assert not cache.exists()
