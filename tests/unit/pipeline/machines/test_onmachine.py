"""A module of ours on a machine: sent as text, with what it imports, to a Python that has nothing of the project."""

import gc
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from pipeline.errors import PipelineError
from pipeline.machines import onmachine
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline

CLONE = Clone("i-1", "192.0.2.1")


class Way:
    """A way in to this machine, as somebody who needs no sudo."""

    def read(
        self, address: str, command: Any, *, stdin: bytes, timeout: float
    ) -> subprocess.CompletedProcess[bytes]:
        assert (address, command) == (CLONE.address, [onmachine.COMMAND])
        return subprocess.run(
            [sys.executable, "-I", "-"],
            input=stdin,
            capture_output=True,
            timeout=timeout,
            check=False,
            cwd="/",
        )


def ask(source: bytes, seconds: float = 300) -> Any:
    return onmachine.ask(
        CLONE, source, access=cast("Any", Way()), deadline=Deadline(seconds), purpose="read the sample"
    )


def test_what_it_prints_comes_back() -> None:
    assert ask(b"import json, sys; json.dump({'path': 'a'}, sys.stdout)") == {"path": "a"}


def test_a_module_finds_what_it_imports_and_nothing_else_of_ours() -> None:
    source = onmachine.program("identity").decode()
    end = "\nimport json, sys; print(json.dumps(sorted(one for one in sys.modules if 'pipeline' in one)))"
    lines = source.splitlines()
    assert lines[-1].startswith("exec(compile("), "the module itself comes last"
    assert ask(("\n".join(lines[:-1]) + end).encode()) == [
        "pipeline",
        "pipeline.probes",
        "pipeline.probes.disk",
    ]


def test_a_failure_says_what_python_said() -> None:
    with pytest.raises(PipelineError, match=r"could not read the sample of i-1") as caught:
        ask(b"raise SystemExit('no such user')")
    assert caught.value.seen == "no such user"


def test_it_does_not_wait_for_ever() -> None:
    with pytest.raises(PipelineError, match=r"could not read the sample of i-1 .* within"):
        ask(b"import time; time.sleep(900)", seconds=0.3)


class Knot:
    """Garbage whose end takes a moment, in which another thread goes on."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(200):
            pass


def test_programs_for_several_machines_at_once() -> None:
    """``ast.parse`` in two threads fails when one is interrupted by the collection of garbage (CPython 106905)."""

    def program(name: str) -> bytes:
        Knot()
        return onmachine.program(name)

    names = ["accounts", "collector", "identity"] * 60
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(10)
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(program, names))
    finally:
        gc.set_threshold(*before)
        sys.setswitchinterval(interval)
    assert len(set(made)) == 3
