"""A lab of the tests' own, and working copies of the project to drive in it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host, leftovers, manners, reserved
from lab.settings import LabSettings
from lab.workbench import PROJECT, Workbench, lab_of

FIRST = (
    "gate", "interrupt", "lab", "machines", "channels", "life", "health", "redhat_like", "bake", "iam", "bad_input",
    "takeovers", "roles", "how_to", "doctor", "ordinary", "races", "sweep", "docs", "pipelines", "readme", "api_faults",
    "manners", "retire", "autoscaling", "roll_out", "returns",
)  # fmt: skip
"""Files that take minutes begin first, so that no worker ends with one of them alone. A worker is handed two at once,
the first and the fourth, the second and the fifth, and so on: the longest two have a short one beside them."""

SLOW_UNITS = (
    "program",
    "stackfile_mutations",
    "mutations",
    "imagescan",
    "imagescan_large",
    "values",
    "bake",
    "bake_fails",
    "pytest_run",
    "pytest_run_hangs",
    "retire",
    "retire_account",
)
"""The same of the unit tests, which come last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked e2e, and says plainly why it is skipped where the lab cannot run."""
    problem = host.missing_requirement()
    for item in items:
        if not of_here(item):
            continue
        item.add_marker(pytest.mark.e2e)
        if problem:
            item.add_marker(pytest.mark.skip(reason=f"the lab cannot run here: {problem}"))
    if os.environ.get("PYTEST_XDIST_WORKER"):
        items.sort(key=_turn)


def of_here(item: pytest.Item) -> bool:
    return Path(__file__).parent in item.path.parents


def _turn(item: pytest.Item) -> int:
    """When a test's file is handed to a worker: end-to-end tests first, and of those the longest."""
    names, before = (FIRST, 0) if of_here(item) else (SLOW_UNITS, len(FIRST) + 1)
    name = item.path.stem.removeprefix("test_")
    return before + (names.index(name) if name in names else len(names))


MANNERS = manners.NAMES
"""AWS's manners, which the lab has in every file."""

POLL = {"AWS_POLL_DELAY_SECONDS": "1"}
"""Packer looks each second at what is pending, instead of each fifteen (amazon plugin, "Resource waiters")."""

MAJORS = {
    "life": 1, "interrupt": 3, "bake": 5, "gate": 6, "iam": 7, "pipelines": 8, "readme": 9, "bad_input": 10,
    "long_lines": 11, "redhat_like": 12, "health": 13, "ordinary": 14, "roles": 17,
}  # fmt: skip
"""Whose versions begin with which number. A lab's images are there for all files of a worker, and one that has the bake
key is adopted: a version that another file baked, or broke, would be taken for this file's own."""

SHARED = "1.0.0"
"""The version that a working copy begins with; what it makes is good, and every file adopts it."""

LABS = {"gw0": "test", "gw1": "test2", "gw2": "test3", "gw3": "test4"}
"""Which lab a worker of pytest-xdist drives; without workers it is the environment's, or the first one."""


def lab_command(*words: str, name: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m lab …` for the lab called `name`."""
    return subprocess.run(
        [sys.executable, "-m", "lab", *words], cwd=PROJECT, env={**os.environ, "GOLDEN_IMAGE_LAB": name},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip


def wipe(settings: LabSettings) -> None:
    """Stop a lab and forget what it knew; nothing of it may be left."""
    done = lab_command("reset", name=settings.name)
    assert done.returncode == 0, done.stderr
    left = {kind: names for kind, names in leftovers.find(settings).items() if names}
    assert not left, f"the lab left {left} behind"


@pytest.fixture(scope="session")
def lab() -> Iterator[LabSettings]:
    """A lab that is up, new and empty."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    settings = lab_of(LABS[worker] if worker else os.environ.get("GOLDEN_IMAGE_LAB", "test"))
    # Two test runs on one machine, in two checkouts, would wipe each other's lab.
    with reserved.reserved(settings, wait=True):
        yield from _started(settings)


def _started(settings: LabSettings) -> Iterator[LabSettings]:
    wipe(settings)
    started = lab_command("up", name=settings.name)
    assert started.returncode == 0, started.stderr
    yield settings
    wipe(settings)


class Bench(Workbench):
    """A working copy in which a test sets only versions of its own file."""

    @property
    def file(self) -> str:
        """Name of the file whose test runs, without ``test_``."""
        return Path(os.environ["PYTEST_CURRENT_TEST"].partition("::")[0]).stem.removeprefix("test_")

    def set_version(self, version: str) -> None:
        file = self.file
        own = version.startswith(f"{MAJORS.get(file)}.")
        assert own or version == SHARED, (
            f"{version} is not a version of {file}: see MAJORS in tests/e2e/conftest.py"
        )
        super().set_version(version)


@pytest.fixture(scope="module")
def bench(lab: LabSettings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A working copy with stacks of its own, which are removed in the end; the lab has all manners.

    The account is everybody's, and an image that is there is adopted: a version that a file bakes is its own
    (`MAJORS`).
    """
    bench = make_bench(lab, tmp_path_factory.mktemp("work"))
    bench.set_manners(*MANNERS)
    yield bench
    bench.set_manners()
    remove_stacks(bench)


def make_bench(lab: LabSettings, folder: Path) -> Bench:
    """A working copy in `folder`, with a state of its own."""
    bench = Bench(lab, folder / "project", echo=True)
    backend = folder / "state"
    backend.mkdir()
    bench.env |= {"PULUMI_BACKEND_URL": f"file://{backend}", **POLL}
    return bench


def remove_stacks(bench: Workbench) -> None:
    """Destroy what a bench's stacks still have: two stacks may not hold one channel."""
    bench.set_faults()
    backend = Path(bench.env["PULUMI_BACKEND_URL"].removeprefix("file://"))
    for lock in backend.glob(".pulumi/locks/**/*.json"):
        # A test that failed may have killed its update.
        assert bench.run("python", "-m", "lab", "unlock", lock.parent.name).status == 0
    listed = bench.run("pulumi", "stack", "ls", "--json")
    for stack in json.loads(listed.output):
        if stack.get("resourceCount"):
            run = bench.run(*bench.pulumi_argv("destroy", stack["name"], "--yes", "--skip-preview"))
            assert run.status == 0


def clear_images(bench: Workbench) -> None:
    """Remove what the files before this one have baked, for a test that counts images: by our own command."""
    options = ("--yes", "--days", "0", "--settled-days", "0", "--history", "1", "--cap", "1000")
    assert bench.run("python", "-m", "pipeline", "retire", *options).status == 0
