"""What a person sees of machines that failed."""

import subprocess
from typing import Any, cast

import pytest

from pipeline.machines.clones import Clone
from pipeline.results import FAILED, CheckResult
from pipeline.validation import show
from pipeline.validation.completeness import NO_RESULT

CLONE = Clone("i-1", "192.0.2.1")
TOKEN = "AKIA" + "QZ3KLMNP7RSTUVWX"
JOURNAL = f"""\
Nov 25 03:00:00 ip-1 sshd[71]: error: kex_exchange_identification: Connection closed by remote host
Nov 25 03:00:01 ip-1 app[80]: cannot log in with {TOKEN}
Nov 25 03:00:02 ip-1 sshd-session[72]: kex_exchange_identification: read: Connection reset by peer
"""


class Way:
    def __init__(self, text: str | None) -> None:
        self.text = text

    def run(self, address: str, command: Any, *, timeout: float) -> subprocess.CompletedProcess[str]:
        if self.text is None:
            raise subprocess.TimeoutExpired(command, timeout)
        return subprocess.CompletedProcess([], 0, self.text, "")


class Machines:
    def console(self, clone: Clone, lines: int | None = None) -> str:
        return f"booted with {TOKEN}"


def result(check: str, seen: str, address: str = CLONE.address) -> CheckResult:
    return CheckResult(check=check, address=address, outcome=FAILED, seconds=0, seen=seen, wanted="well")


def test_the_journal_without_the_gate_s_own_probes_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show.journal(CLONE, cast("Any", Way(JOURNAL)))
    show.console(CLONE, cast("Any", Machines()))
    told = capsys.readouterr().err
    assert "cannot log in with [aws-access-token]" in told
    assert "booted with [aws-access-token]" in told
    assert "kex_exchange" not in told


def test_a_machine_that_does_not_give_its_journal(capsys: pytest.CaptureFixture[str]) -> None:
    show.journal(CLONE, cast("Any", Way(None)))
    assert "no answer to the question for its journal" in capsys.readouterr().err


def test_the_cause_comes_before_what_it_kept_from_running() -> None:
    failed = [result("a", NO_RESULT), result("b", "it had not ended\nmore"), result("c", NO_RESULT, "")]
    assert [show.line(one, [CLONE]) for one in show.ordered(failed)] == [
        "i-1 (192.0.2.1): b: it had not ended, wanted well",
        f"i-1 (192.0.2.1): a: {NO_RESULT}, wanted well",
        f"c: {NO_RESULT}, wanted well",
    ]
