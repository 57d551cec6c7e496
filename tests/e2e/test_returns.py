"""An update whose image dies in the fleet is killed, or one of its calls is struck: the next one ends what it began.

`make sweep` strikes every call of the return with every fault and kills twenty updates; `make test` a few of them, by a
seed that it prints. GOLDEN_IMAGE_SWEEP is the number of cases, or `all`; GOLDEN_IMAGE_SEED the seed, to have the same
cases again. A test's name has its case.
"""

import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab import surroundings
from lab.settings import LabSettings
from lab.workbench import Run, Workbench
from pipeline.model import TAG_REJECTED
from tests.e2e import fleet_images
from tests.e2e.conftest import remove_stacks
from tests.e2e.mover import TRACE, Findings, rule
from tests.e2e.rolling import Rolling
from tests.e2e.tally import CASE, SILENT, STUCK, TRACEBACK, judge
from tests.e2e.test_sweep import KINDS, NOT_REACHED, seed

ROLE = "returning"
ALARM = "unhealthy-returning"

CALLS = 17
"""How many calls a return makes at least, from the mark of the image on; a test counts them."""

LATE_CALLS = 3
"""How many more it makes at the most while it waits for a pointer that is written late."""

ALL_CALLS = 80
"""How many calls an update to an image that fails makes, from its first to its last."""

TIMEOUT_MINUTES = 5
"""How long a roll-out may take."""

STRIKES = ("denied", "lost")
KILLS = {"ctrl-c": signal.SIGINT, "sigkill": signal.SIGKILL}
MOMENTS = 10
"""How many updates are killed by each signal."""

UPDATES = 1
"""In how many updates all has to be well again; the one after them refuses the image."""

WANTED = os.environ.get("GOLDEN_IMAGE_SWEEP", "2")


@dataclass(frozen=True)
class Case:
    """What happens to an update.

    Attributes:
        kind: Of `STRIKES` or `KILLS`.
        where: Which call of the return is struck; or at which part of its calls the update is killed.
    """

    kind: str
    where: float

    def __str__(self) -> str:
        return f"{self.kind} at {self.where if self.kind in STRIKES else f'{self.where:.0%}'}"


def cases() -> list[Case]:
    """All of them, or a sample, in no order."""
    chance = random.Random(seed())  # no secret
    strikes = [Case(kind, number) for kind in STRIKES for number in range(CALLS + LATE_CALLS)]
    kills = [Case(kind, chance.random()) for _ in range(MOMENTS) for kind in KILLS]
    every = strikes + kills
    return chance.sample(every, len(every) if WANTED == "all" else int(WANTED))


class Returning(Rolling):
    """A stack whose machines have a good image, and which is asked for one that dies in the fleet."""

    @property
    def good(self) -> str:
        return self.images["good"]

    @property
    def bad(self) -> str:
        return self.images["bad"]

    def begin(self) -> None:
        """As if the bad image had never been tried."""
        tags = [{"Key": TAG_REJECTED}]
        self.bench.client("ec2").delete_tags(Resources=[self.bad], Tags=tags)
        if self.wrong(self.good):
            # A case has failed before this one.
            self.ask_for(self.good)
            assert self.up().status == 0
        self.ask_for(self.bad)

    def is_back(self) -> bool:
        """Whether all is as before, and the image rejected."""
        return not self.wrong(self.good) and (self.rejected(self.bad) or "").startswith("prod ")

    def strike(self, case: Case) -> tuple[Run, bool]:
        """Ask for the bad image while a call of its return is struck; also whether there was such a call."""
        with self.moving() as moving:
            moving.printed("==> roll-out: instance refresh")
            if case.where == 0:
                self.bench.set_faults(rule(self, action="CreateTags", **KINDS[case.kind]))
            else:
                # The mark waits until the calls after it are counted.
                self.bench.set_faults(rule(self, "hold", action="CreateTags"))
                assert moving.until(1)
                self.bench.set_faults(rule(self, number=int(case.where) - 1, **KINDS[case.kind]))
            run = moving.end()
        struck = bool(self.bench.struck())
        self.bench.set_faults()
        return run, struck

    def kill(self, case: Case) -> tuple[Run, bool]:
        """Ask for the bad image, and kill the update at a call, which AWS carries out all the same.

        Also returns whether there was such a call.
        """
        self.bench.set_faults(rule(self, "hold", int(case.where * ALL_CALLS)))
        with self.moving() as moving:
            if moving.until(1):
                moving.send(KILLS[case.kind])
            struck = bool(self.bench.struck())
            self.bench.set_faults()
            run = moving.end()
        if struck and KILLS[case.kind] == signal.SIGKILL:
            self.unlock()
        return run, struck

    def ends(self) -> Findings:
        """Updates end what was begun, until one refuses the bad image before it changes anything."""
        for _ in range(UPDATES + 1):
            run = self.up()
            yield TRACEBACK, TRACE.search(run.output)
            yield SILENT, run.status == 0 and "the update to the bad image succeeded"
            yield from self.lookup()
            if "has been rejected" in run.output:
                break
        else:
            yield STUCK, run.output
        yield STUCK, not self.is_back() and [*self.wrong(self.good), f"rejected: {self.rejected(self.bad)}"]


@pytest.fixture(scope="module")
def stack(bench: Workbench, lab: LabSettings) -> Iterator[Returning]:
    images = fleet_images.make(bench, ROLE, ["good", "bad", "better"], bad="bad")
    target_group = surroundings.target_group(lab, name=ROLE)
    surroundings.alarm(lab, ALARM, "OK")
    stack = Returning(
        bench,
        ROLE,
        images,
        target_group,
        size=1,
        refresh={"alarms": [ALARM], "timeoutMinutes": TIMEOUT_MINUTES},
    )
    stack.ask_for(images["good"])
    assert stack.up().status == 0
    yield stack
    remove_stacks(bench)
    surroundings.remove_target_group(lab, target_group)


@pytest.fixture
def _alarmed(stack: Returning, lab: LabSettings) -> Iterator[None]:
    """The alarm of the group's refreshes fires when a machine is not healthy."""
    with surroundings.watched(lab, stack.target_group, ALARM, after=3):
        yield


@pytest.fixture(autouse=True)
def _well_again(bench: Workbench) -> Iterator[None]:
    yield
    bench.set_faults()


def test_a_roll_out_that_takes_too_long_returns(stack: Returning, lab: LabSettings) -> None:
    """Nothing disturbs this one: it makes the calls that the others are struck at."""
    stack.begin()
    stack.bench.forget_calls()
    with stack.moving() as moving:
        moving.printed("==> roll-out: .* is not healthy")
        surroundings.advance(lab, 60 * TIMEOUT_MINUTES)
        run = moving.end()
    assert run.status != 0
    assert f"not done after {TIMEOUT_MINUTES} minutes: AWS is asked to roll back" in run.output
    assert stack.is_back()
    calls = [call["action"] for call in stack.bench.calls() if call["key"] == stack.key]
    marked = calls.index("CreateTags", calls.index("RollbackInstanceRefresh"))
    assert CALLS <= len(calls) - marked <= CALLS + LATE_CALLS, calls[marked:]


def test_a_refresh_that_aws_does_not_roll_back_is_cancelled(stack: Returning, lab: LabSettings) -> None:
    stack.begin()
    stack.bench.set_faults(
        rule(stack, "error", action="RollbackInstanceRefresh", code="IrreversibleInstanceRefresh")
    )
    with stack.moving() as moving:
        moving.printed("==> roll-out: .* is not healthy")
        surroundings.advance(lab, 60 * TIMEOUT_MINUTES)
        run = moving.end()
    assert run.status != 0
    assert stack.bench.struck() == ["RollbackInstanceRefresh"]
    assert stack.refreshes()[0]["Status"] == "Cancelled"
    assert stack.is_back()


@pytest.mark.usefixtures("_alarmed")
@pytest.mark.parametrize("case", cases(), ids=str)
def test_the_next_update_ends_what_one_began(stack: Returning, case: Case, record_property: Any) -> None:
    stack.begin()
    run, struck = (stack.kill if case.kind in KILLS else stack.strike)(case)
    assert struck or case.kind in KILLS or case.where >= CALLS, "there is no call of that number"
    record_property(CASE, f"return, {case.kind}" if struck else NOT_REACHED)
    judge(
        record_property,
        [
            (TRACEBACK, TRACE.search(run.output)),
            (SILENT, run.status == 0 and "the update to the bad image succeeded"),
            *stack.lookup(),
            *stack.ends(),
        ],
    )


def test_another_image_meanwhile_has_the_refresh_of_the_first_undone(
    stack: Returning, lab: LabSettings
) -> None:
    surroundings.alarm(lab, ALARM, "OK")
    stack.begin()
    with stack.moving() as moving:
        moving.printed("==> roll-out: InProgress, .* machines: 1 new,")
        moving.send(signal.SIGKILL)
        moving.end()
    stack.unlock()
    stack.ask_for(stack.images["better"])
    run = stack.up()
    assert run.status == 0, run.output
    assert "is of an earlier update: it is rolled back" in run.output
    assert stack.wrong(stack.images["better"]) == []
    assert stack.rejected(stack.bad) is None


def test_an_update_joins_the_roll_out_of_one_that_was_killed(stack: Returning) -> None:
    good = stack.another()
    stack.ask_for(good)
    before = len(stack.refreshes())
    with stack.moving() as moving:
        moving.printed("==> roll-out: InProgress, .* machines: 1 new,")
        moving.send(signal.SIGKILL)
        moving.end()
    stack.unlock()
    run = stack.up()
    assert run.status == 0, run.output
    assert len(stack.refreshes()) == before + 1
    assert stack.wrong(good) == []
