"""Four machines take as long as one: what is asked of each is asked of all at once."""

import subprocess
import threading
from typing import Any, cast

import pytest

from pipeline import plans
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.validation import sameness
from pipeline.validation.gate import Gate
from tests.unit.pipeline.test_plans import GIVEN

MACHINES = [Clone(f"i-{number}", f"192.0.2.{number}") for number in range(1, 5)]
PATIENCE = 20


class Meeting:
    """A way in on which no machine answers before all have been asked."""

    def __init__(self) -> None:
        self._all = threading.Barrier(len(MACHINES), timeout=PATIENCE)

    def read(self, address: str, command: Any, **options: Any) -> subprocess.CompletedProcess[bytes]:
        if b"builder-identity 2>/dev/null" not in options["stdin"]:  # that is asked of one
            self._all.wait()
        return subprocess.CompletedProcess(command, 0, f"{address}  machine-id\n".encode(), b"")


def test_identities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sameness, "offered", lambda _clone: {})
    monkeypatch.setattr(sameness, "files", lambda *_machines, **_options: [])
    plan = plans.Validate(**GIVEN[plans.Validate])
    gate = Gate(
        plan=plan, access=cast("Any", Meeting()), clones=cast("Any", None), deadline=Deadline(PATIENCE)
    )
    results = [result for result in gate._identity(MACHINES) if result.check == "identity::machine-id"]
    assert [result.address for result in results] == [clone.address for clone in MACHINES]
