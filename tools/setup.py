"""Set up everything that the project needs; does nothing the second time.

Usage: python3 tools/setup.py

Exit status: 0 ready · 1 something is missing that this cannot install.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import packages, toolchain, venv
from tools.say import ready

if __name__ == "__main__":
    sys.exit(ready(packages.ensure, venv.ensure, toolchain.ensure))
