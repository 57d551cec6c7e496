"""One call of a promotion is struck, or Pulumi is killed at it: never a wrong end that looks right.

`make sweep` does this for every call and every kind of fault; `make test` for a few, by a seed that it prints.
GOLDEN_IMAGE_SWEEP is the number of cases, or `all`; GOLDEN_IMAGE_SEED the seed, to have the same cases again. A test's
name has its case.
"""

import itertools
import os
import random
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from pipeline.model import held_tag, pointer_name
from tests.e2e.conftest import MANNERS
from tests.e2e.mover import CHANNEL, TRACE, Mover, rule
from tests.e2e.registry import registry
from tests.e2e.tally import CASE, SILENT, STUCK, TRACEBACK, judge
from tests.e2e.test_api_faults import made_anew

ROLE = "sweep"
STACK = "prod"
CALLS = 25
"""How many calls a promotion makes at least; `test_the_calls_of_a_promotion` counts them."""

LATE_CALLS = 6
"""How many more it makes at the most while it waits for a pointer that is written late, and for reads that lag."""

SHORT_HISTORY = 40
"""A pointer's versions that come in one page: SSM gives fifty."""

KINDS: dict[str, dict[str, Any]] = {
    "denied": {"kind": "error", "code": "AccessDenied", "status": 403},
    "out of order": {"kind": "error", "code": "InternalError", "status": 500},
    "throttled": {"kind": "throttled"},
    "html": {"kind": "html"},
    "cut": {"kind": "cut"},
    "lost": {"kind": "lost"},
    "denied from here on": {"kind": "error", "code": "AccessDenied", "status": 403, "times": 10_000},
}
KILLS = {"machine dies before": "dropped", "Pulumi killed after": "kept"}
"""SIGKILL to all of an update's processes while the call is on its way, which then never arrives; and to Pulumi alone
when the call is done and the answer on its way."""

NOT_REACHED = "no call of that number"
"""A case in which the promotion came to its end with fewer calls, and so was not struck."""

WANTED = os.environ.get("GOLDEN_IMAGE_SWEEP", "4")
WHOLE = WANTED == "all"


def cases() -> list[tuple[str, int]]:
    """Kind and number of the call: all of them, or a sample of those that every promotion makes."""
    every = list(itertools.product([*KINDS, *KILLS], range(CALLS + (LATE_CALLS if WHOLE else 0))))
    return every if WHOLE else random.Random(seed()).sample(every, int(WANTED))  # no secret


def seed() -> int:
    """Of the sample; workers of one run must agree on it, so it does not come from the clock."""
    return int(os.environ.get("GOLDEN_IMAGE_SEED", "1"))


class Target(Mover):
    """A stack whose promotions are struck, and two images to move its channel between."""

    def __init__(self, bench: Workbench, images: list[str]) -> None:
        super().__init__(bench, ROLE, STACK, "sweep")
        self.images = images

    def next(self) -> str:
        """The image that the channel does not hold; its promotion makes `CALLS` calls, or some more."""
        ssm, ec2 = self.bench.client("ssm"), self.bench.client("ec2")
        found = ssm.get_parameter(Name=pointer_name(ROLE, CHANNEL))["Parameter"]
        if found["Version"] > SHORT_HISTORY:
            ssm.delete_parameter(Name=pointer_name(ROLE, CHANNEL))
            self.ask_for(found["Value"])
            made_anew(self.bench, self.up)
        new = next(image for image in self.images if image != found["Value"])
        # Each image is recorded once for a channel: as if it were new.
        ec2.delete_tags(Resources=[new], Tags=[{"Key": held_tag(CHANNEL)}])
        return new

    def strike(self, kind: str, number: int, image: str) -> tuple[Run, list[str]]:
        """Promote an image while the call of that number is struck; also the actions that were."""
        self.ask_for(image)
        self.bench.set_faults(rule(self, number=number, **KINDS[kind]))
        run = self.up()
        struck = self.bench.struck()
        self.bench.set_faults()
        return run, struck

    def kill(self, kind: str, number: int, image: str) -> tuple[Run, list[str]]:
        """The same, and Pulumi is killed at the call."""
        self.ask_for(image)
        self.bench.set_faults(rule(self, KILLS[kind], number))
        with self.moving() as moving:
            if moving.until(1):
                moving.kill(whole=KILLS[kind] == "dropped")
            struck = self.bench.struck()
            self.bench.set_faults()
            run = moving.end()
        if struck:
            self.unlock()
        return run, struck


@pytest.fixture(scope="module")
def target(bench: Workbench) -> Target:
    with registry(bench) as images:
        target = Target(bench, images.validated(ROLE, 2))
    target.ask_for(target.images[0])
    assert target.up().status == 0
    return target


@pytest.mark.parametrize(("kind", "number"), cases())
def test_a_promotion_that_is_struck_once(
    target: Target, kind: str, number: int, record_property: Any
) -> None:
    new = target.next()
    run, struck = (target.kill if kind in KILLS else target.strike)(kind, number, new)
    assert struck or number >= CALLS, "there is no call of that number"
    record_property(CASE, kind if struck else NOT_REACHED)
    judge(
        record_property,
        [
            (STUCK, not struck and run.status != 0 and run.output),
            (TRACEBACK, TRACE.search(run.output)),
            (SILENT, run.status == 0 and target.wrong(new)),
            (SILENT, target.pointer() not in target.images),
            *target.lookup(),
            *(target.way_out(new) if run.status != 0 else ()),
        ],
    )


def test_the_calls_of_a_promotion(target: Target) -> None:
    """Without manners: what is late is asked for again."""
    target.ask_for(target.next())
    target.bench.set_manners()
    try:
        target.bench.forget_calls()
        assert target.up().status == 0
    finally:
        target.bench.set_manners(*MANNERS)
    calls = [call["action"] for call in target.bench.calls() if call["key"] == target.key]
    assert len(calls) == CALLS, calls
