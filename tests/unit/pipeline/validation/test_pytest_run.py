"""Checks run by pytest against a machine, and what comes of them. The machine is this one, behind a fake ssh."""

import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest

from pipeline import results
from pipeline.errors import PipelineError
from pipeline.machines.clones import Clone
from pipeline.machines.deadline import Deadline
from pipeline.results import CheckResult
from pipeline.validation import completeness, pytest_run

CLONE = Clone("i-1", "127.0.0.1")
CHECKS = """
import pytest

def test_good(host):
    assert host.run("echo hello").stdout == "hello\\n"

def test_bad(host):
    assert host.run("echo hello").stdout == "bye\\n"

def test_skipped(host):
    pytest.skip("not today")

def test_of_nobody():
    raise ValueError("broken check")
"""


class Way:
    """A way in that leads here."""

    user = "nobody"
    config = Path(os.devnull)


def run(folder: Path, seconds: float = 300) -> dict[str, CheckResult]:
    found = pytest_run.run(
        [CLONE], access=cast("Any", Way()), role="web", deadline=Deadline(seconds), folder=folder.parent
    )
    return {result.check: result for result in completeness.without_skips(found.results, {})}


def test_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "test_it.py").write_text(CHECKS)
    (folder / "test_unreadable.py").write_text("import nothing_of_this_name\n")
    found = run(folder)
    good, bad = found["test_it.py::test_good"], found["test_it.py::test_bad"]
    assert (good.outcome, good.address) == (results.PASSED, CLONE.address)
    assert (bad.outcome, bad.seen, bad.wanted) == (results.FAILED, "'hello\\n'", "'bye\\n'")
    assert (found["test_it.py::test_skipped"].outcome, found["test_it.py::test_skipped"].seen) == (
        results.FAILED,
        "skipped: Skipped: not today",
    )
    broken = found["test_it.py::test_of_nobody"]
    assert (broken.outcome, broken.address) == (results.FAILED, "")
    assert "broken check" in broken.seen
    assert "nothing_of_this_name" in found["test_unreadable.py"].seen
    told = capsys.readouterr().err
    assert "i-1 (127.0.0.1): test_it.py::test_bad FAILED" in told


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("import os\n\ndef test_a(:\n    pass\n", "SyntaxError: invalid syntax (test_it.py, line 3)"),
        ("import os\nimport nothing_here\n", "No module named 'nothing_here' (test_it.py, line 2)"),
        ("\n\nassert 1 == 2\n", "assert 1 == 2 (test_it.py, line 3)"),
        ("def test_a(nothing_here):\n    pass\n", "fixture 'nothing_here' not found"),
    ],
    ids=["syntax", "import", "error", "fixture"],
)
def test_a_file_that_cannot_be_read(folder: Path, text: str, seen: str) -> None:
    (folder / "test_it.py").write_text(text)
    (result,) = [one for one in run(folder).values() if one.outcome == results.FAILED]
    assert seen in result.seen.splitlines()[0]


def test_a_check_of_the_role_that_looks_at_no_machine_proves_nothing(folder: Path) -> None:
    own = folder.parent / "roles/web/checks"
    own.mkdir(parents=True)
    other = folder.parent / "roles/db/checks"
    other.mkdir(parents=True)
    (other / "test_db.py").write_text("def test_of_another_role():\n    assert False\n")
    for place, checks, proven in (
        (own, "def test_a():\n    pass\n", False),
        (folder, "def test_a(host):\n    pass\n", False),
        (own, "def test_a(host):\n    pass\n", True),
    ):
        (place / "test_it.py").write_text(checks)
        done = pytest_run.run(
            [CLONE], access=cast("Any", Way()), role="web", deadline=Deadline(300), folder=folder.parent
        )
        (place / "test_it.py").unlink()
        assert [one.outcome for one in done.results] == [results.PASSED]
        assert done.tests_role("web") is proven


def test_no_check(folder: Path) -> None:
    with pytest.raises(PipelineError, match="could not be run"):
        run(folder)


def test_what_a_check_leaves_running_keeps_nobody_waiting(folder: Path) -> None:
    (folder / "test_it.py").write_text(
        "import os, time\ndef test_a():\n    if not os.fork():\n        time.sleep(900)\n        os._exit(0)\n"
    )
    assert set(run(folder)) == {"test_it.py::test_a"}


def test_a_hook_that_makes_a_failure_a_pass(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(wrapper=True, tryfirst=True)\n"
        "def pytest_runtest_makereport():\n    report = yield\n    report.outcome = 'passed'\n    return report\n"
    )
    (folder / "test_it.py").write_text(SICK)
    assert failures(folder)["test_it.py::test_health"] == "it has raised, and is reported as passed"


def test_an_outcome_that_pytest_does_not_know(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "def pytest_runtest_logreport(report):\n    report.outcome = 'rerun'\n"
    )
    (folder / "test_it.py").write_text(SICK)
    assert "test_it.py::test_health" in failures(folder)


def test_a_plugin_that_is_installed_here_is_not_loaded(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "kind-1.0.dist-info").mkdir(parents=True)
    (site / "kind-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: kind\nVersion: 1.0\n")
    (site / "kind-1.0.dist-info" / "entry_points.txt").write_text("[pytest11]\nkind = kind\n")
    (site / "kind.py").write_text("def pytest_pyfunc_call():\n    return True\n")
    # The interpreter's own way to more folders, which no variable of the caller's is.
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (folder / "test_it.py").write_text(SICK)
    assert set(failures(folder)) == {"test_it.py::test_health"}


HEALTHY = "def test_health():\n    assert True\n"
SICK = "def test_health():\n    assert False\n"


def failures(folder: Path) -> dict[str, str]:
    found = run(folder)
    return {name: result.seen for name, result in found.items() if result.outcome == results.FAILED}


@pytest.mark.parametrize(
    ("conftest", "checks", "seen"),
    [
        (
            "import pytest\n@pytest.fixture(autouse=True)\ndef skip():\n    pytest.skip('no')\n",
            SICK,
            {"test_it.py::test_health": "skipped: Skipped: no"},
        ),
        (
            "",
            "import pytest\ndef test_a():\n    pytest.exit('enough', returncode=0)\n" + SICK,
            {
                "test_it.py::test_a": "it never came to a result",
                "test_it.py::test_health": "it never came to a result",
            },
        ),
        (
            "",
            "import os\ndef test_a():\n    os._exit(0)\n" + SICK,
            {
                "test_it.py::test_a": "it never came to a result",
                "test_it.py::test_health": "it never came to a result",
                "suite::end": "the process ended with exit status 0 before pytest's own end",
            },
        ),
        (
            "def pytest_collection_modifyitems(items):\n    items[:] = items[:1]\n",
            HEALTHY.replace("health", "a") + SICK,
            {"test_it.py::test_health": "deselected"},
        ),
        (
            "",
            "import pytest\n@pytest.mark.role('web')\n" + HEALTHY,
            {"test_it.py::test_health": "marked for web"},
        ),
        (
            "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n",
            HEALTHY,
            {"suite::end": "the process ended with exit status 1 where pytest had come to 0"},
        ),
        (
            "",
            "import pytest\npytest.skip('not here', allow_module_level=True)\n",
            {"test_it.py": "skipped: Skipped: not here"},
        ),
        ("", "import pytest\n@pytest.mark.xfail\n" + SICK, {"test_it.py::test_health": "skipped: "}),
    ],
    ids=["skip-all", "exit", "os-exit", "deselect", "marked", "status", "skip-module", "xfail"],
)
def test_a_verdict_that_is_cut_short_is_none(
    folder: Path, conftest: str, checks: str, seen: dict[str, str]
) -> None:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_it.py").write_text(checks)
    (folder / "test_other.py").write_text(HEALTHY)
    found = failures(folder)
    for name, text in seen.items():
        assert found[name].startswith(text)


@pytest.mark.parametrize(
    ("name", "value"), [("PYTEST_ADDOPTS", "-k nothing_of_this"), ("PYTHONOPTIMIZE", "1")]
)
def test_the_callers_environment_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    # As in a module that a check imports, whose assertions pytest does not rewrite.
    sick = SICK.replace("assert False", "exec('assert False')")
    (folder / "test_it.py").write_text(HEALTHY.replace("health", "a") + sick)
    assert set(failures(folder)) == {"test_it.py::test_health"}


def test_a_parameter_stays_in_the_name(folder: Path) -> None:
    checks = (
        "import pytest\n@pytest.mark.parametrize('port', [80, 443])\ndef test_port(host, port):\n    pass\n"
    )
    (folder / "test_it.py").write_text(checks)
    found = run(folder)
    assert set(found) == {"test_it.py::test_port[80]", "test_it.py::test_port[443]"}
    assert {result.address for result in found.values()} == {CLONE.address}
