"""One call of a promotion is struck, or Pulumi is killed at it: never a wrong end that looks right.

`make sweep` does this for every call and every kind of fault; `make test` for a few, by a seed that it prints.
GOLDEN_IMAGE_SWEEP is the number of cases, or `all`; GOLDEN_IMAGE_SEED the seed, to have the same cases again. A test's
name has its case.
"""

import itertools
import os
import random
import re
import signal
from dataclasses import dataclass
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from tests.e2e.registry import registry
from tests.e2e.test_api_faults import CHANNEL, STACK, Account, configure

ROLE = "api"
CALLS = 24
"""A promotion makes some twenty calls; a case beyond the last one strikes nothing and must simply succeed."""

ONCE = {"times": 1}
KINDS: dict[str, dict[str, Any]] = {
    "denied": {"kind": "error", "code": "AccessDenied", "status": 403},
    "out of order": {"kind": "error", "code": "InternalError", "status": 500},
    "throttled": {"kind": "throttled"},
    "html": {"kind": "html"},
    "cut": {"kind": "cut"},
    "lost": {"kind": "lost"},
    "denied from here on": {"kind": "error", "code": "AccessDenied", "status": 403, "times": 10_000},
}
KILL = "killed"
"""SIGKILL to Pulumi while the call is on its way."""

SEED = "GOLDEN_IMAGE_SEED"
TRACE = re.compile(r"Traceback \(most recent call last\)|panic:")


def cases() -> list[tuple[str, int]]:
    """Kind and number of the call: all of them, or a sample."""
    every = list(itertools.product([*KINDS, KILL], range(CALLS)))
    wanted = os.environ.get("GOLDEN_IMAGE_SWEEP", "4")
    if wanted == "all":
        return every
    return random.Random(seed()).sample(every, int(wanted))  # noqa: S311 - no secret


def seed() -> int:
    """Of the sample; workers of one run must agree on it, so it does not come from the clock."""
    return int(os.environ.get(SEED, "1"))


@dataclass
class Channel:
    """A channel, the stack that moves it, and two images to move it between."""

    account: Account

    @property
    def bench(self) -> Workbench:
        return self.account.bench

    def strike(self, kind: str, number: int, image: str) -> Run:
        """Promote an image, and strike the call of that number, counted from 0."""
        configure(self.bench, image)
        if kind == KILL:
            return self.kill(number)
        rule = {"action": "*", "after": number, **ONCE, **KINDS[kind]}
        self.bench.pulumi_argv("up", STACK)
        self.bench.set_faults(rule)
        run = self.bench.up(STACK)
        self.bench.set_faults()
        return run

    def kill(self, number: int) -> Run:
        """Promote, and kill Pulumi while its call of that number is held."""
        argv = self.bench.pulumi_argv("up", STACK, "--yes", "--skip-preview")
        self.bench.set_faults({"action": "*", "kind": "hold", "after": number})
        with self.bench.start(*argv) as process:
            while process.poll() is None and not self.bench.struck():
                pass
            process.send_signal(signal.SIGKILL)
            self.bench.set_faults()
            assert process.stdout is not None
            output = process.stdout.read()
        self.bench.run("python", "-m", "lab", "unlock", STACK)
        return Run(process.returncode, output, 0.0)


@pytest.fixture(scope="module")
def channel(bench: Workbench) -> Channel:
    with registry(bench) as images:
        account = Account(bench, images.validated(ROLE, 2))
    configure(bench, account.images[0])
    assert bench.up(STACK).status == 0
    account.check(account.images[0])
    return Channel(account)


@pytest.mark.parametrize(("kind", "number"), cases())
def test_a_promotion_that_is_struck_once(channel: Channel, kind: str, number: int) -> None:
    bench = channel.bench
    old = bench.pointer(ROLE, CHANNEL)
    new = next(image for image in channel.account.images if image != old)
    run = channel.strike(kind, number, new)
    assert not TRACE.search(run.output), "one error, no traceback"
    if run.status == 0:
        channel.account.check(new)
    assert bench.pointer(ROLE, CHANNEL) in {old, new}
    assert len(bench.holders(ROLE, CHANNEL)) <= 1, "the lookup by tag finds one image, or none"
    assert bench.up(STACK).status == 0, "a plain second update puts it right"
    channel.account.check(new)
