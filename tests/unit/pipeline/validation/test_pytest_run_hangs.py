"""Checks that hang: they are named, and the other results stay."""

import os
import time
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline import results
from pipeline.machines.deadline import Deadline
from pipeline.validation import pytest_run
from tests.unit.pipeline.validation.test_pytest_run import CLONE, Way

SLOW = "    import os, pathlib, time\n    pathlib.Path(os.environ['HANGS']).touch()\n    time.sleep(900)\n"


class OverOnceItHangs(Deadline):
    """A deadline that comes when a check hangs, however long it takes to get there."""

    def remaining(self) -> float:
        while not Path(os.environ["HANGS"]).exists():
            time.sleep(0.01)
        return 0.2


FIXTURE = f"import pytest\n@pytest.fixture\ndef made():\n    yield\n{SLOW}"


@pytest.mark.parametrize(
    ("checks", "hung", "others"),
    [
        (
            f"def test_slow(host):\n{SLOW}def test_next():\n    pass\n",
            "test_it.py::test_slow",
            {"test_it.py::test_next"},
        ),
        (
            FIXTURE + "def test_slow(made):\n    pass\ndef test_next():\n    pass\n",
            "test_it.py::test_slow",
            {"test_it.py::test_next"},
        ),
        (f"if True:\n{SLOW}", "test_it.py", {"test_a.py::test_good"}),
        (
            f"import atexit\n@atexit.register\ndef late():\n{SLOW}def test_a():\n    pass\n",
            "suite::end",
            set(),
        ),
    ],
    ids=["call", "teardown", "import", "exit"],
)
def test_what_hangs_is_named_and_the_other_results_stay(
    folder: Path, monkeypatch: pytest.MonkeyPatch, checks: str, hung: str, others: set[str]
) -> None:
    monkeypatch.setenv("HANGS", str(folder.with_name("hangs")))
    (folder / "test_a.py").write_text("def test_good():\n    pass\n")
    (folder / "test_it.py").write_text(checks)
    found = pytest_run.run(
        [CLONE], access=cast("Any", Way()), role="web", deadline=OverOnceItHangs(6), folder=folder.parent
    ).results
    failed = [result for result in found if result.outcome == results.FAILED]
    assert failed[0].check == hung
    assert "it had not ended after" in failed[0].seen
    assert "the 6 s of the whole validation were over" in failed[0].seen
    assert {result.check for result in failed[1:]} == others
    if not others & {"test_a.py::test_good"}:  # nothing runs before all files have been read
        assert "test_a.py::test_good" in {one.check for one in found if one.outcome == results.PASSED}
