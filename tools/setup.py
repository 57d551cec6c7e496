"""Set up everything that the project needs; does nothing the second time.

Usage: python3 tools/setup.py [--lab | --demo] [--pipelines]

Exit status: 0 ready · 1 something is missing that this cannot install · 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import conditions, node, packages, toolchain, venv
from tools.say import ready, run, side_by_side


def main() -> int:
    """Set up what the words of the command line ask for."""
    parser = argparse.ArgumentParser(description="Set up what the project needs.")
    parser.add_argument("--lab", action="store_true", help="and the lab's base image, where a lab can run")
    parser.add_argument("--demo", action="store_true", help="the same; fails where no lab can run")
    parser.add_argument("--pipelines", action="store_true", help="and what runs .gitlab-ci.yml in the tests")
    asked = parser.parse_args()

    def everything() -> None:
        lab = conditions.check(lab=asked.lab or asked.demo, required=asked.demo)

        def of_packages() -> None:
            packages.ensure()
            parts = [
                venv.ensure,
                *([_base] if lab else []),
                *([node.ensure] if asked.pipelines and lab else []),
            ]
            side_by_side(*parts)

        side_by_side(of_packages, toolchain.ensure)

    return ready(everything)


def _base() -> None:
    """The lab's base image; the lab builds it, if it is not there."""
    run(
        "making the lab's base image", [sys.executable, "-m", "lab.base_image"], cwd=venv.PROJECT, unit="packages",
        counted=r"^Setting up ", totalled=r"^\d+ upgraded, (\d+) newly installed",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
