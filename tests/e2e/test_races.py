"""Two stacks move one channel at the same time: never a silent overwrite, never two answers to the lookup by tag.

The one is held at a call of its own while the other goes on to its end, or to a call of its own; a seed chooses which
and where. GOLDEN_IMAGE_RACES is how many there are (`make sweep`: 50); GOLDEN_IMAGE_SEED is the first one's seed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import make_bench, remove_stacks
from tests.e2e.mover import CHANNEL, TRACE, Mover, rule
from tests.e2e.registry import registry
from tests.e2e.tally import CASE, HOLDERS, SILENT, TRACEBACK, judge
from tests.e2e.test_sweep import CALLS, seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.settings import LabSettings
    from lab.workbench import Run, Workbench
    from tests.e2e.mover import Findings

ROLE = "races"
POINTER = f"/golden-image/{ROLE}/{CHANNEL}"
OF_A_REMOVAL, OF_A_FIRST = 6, 18
"""How many calls a `pulumi destroy` makes at least, and the first update of a stack."""

BEFORE_THE_WRITE, AFTER_THE_WRITE = range(3, 7), range(8, 20)
"""Numbers of a promotion's calls: from its look at the pointer to its write, and from there to its last tag."""

KINDS = ("confirmed", "no pointer", "copied state", "pinned", "removal", "by hand", "made anew")
"""How two come to move one channel: a person has confirmed that the other may replace what is there; there is no
pointer; the same stack in two places, with a state each; the other pins what is there already; the owner removes its
stack while the other, confirmed, promotes; a hand writes the pointer; or deletes it and makes it anew."""

SAID = "has not changed the launch template"
HANDS = ("by hand", "made anew")
OWNER, OTHER = "owner", "other"


@dataclass(frozen=True, kw_only=True)
class Race:
    """One case, by its number.

    Attributes:
        kind: Of `KINDS`.
        first: Who is held.
        held: Number of its call at which it is held.
        pause: Number of the second one's call at which that one is held until the first has ended; or None.
        winner: Who then has the channel.
    """

    kind: str
    first: str
    held: int
    pause: int | None
    winner: str

    @classmethod
    def of(cls, number: int) -> Race:
        """The case of a number."""
        chance = Random(number)  # no secret
        kind = KINDS[number % len(KINDS)]
        first = OWNER if kind in HANDS else chance.choice((OWNER, OTHER))
        calls, near = range(CALLS), BEFORE_THE_WRITE
        if first == OTHER:
            calls = range(OF_A_FIRST)
        elif kind == "removal":
            calls = near = range(OF_A_REMOVAL)
        return cls(
            kind=kind,
            first=first,
            held=chance.choice(chance.choice((calls, near))),
            pause=None
            if kind in HANDS
            else chance.choice(chance.choice(([None], AFTER_THE_WRITE, range(CALLS)))),
            winner=OTHER if kind == "removal" else chance.choice((OWNER, OTHER)),
        )


NUMBERS = range(seed(), seed() + int(os.environ.get("GOLDEN_IMAGE_RACES", "2")))


def cases() -> list[Any]:
    """All cases; a test's name has all of its own."""
    found = [(number, Race.of(number)) for number in NUMBERS]
    return [
        pytest.param(race, id=f"{number}, {race.kind}, {race.first} held at {race.held}, pause {race.pause}")
        for number, race in found
    ]


class Channel:
    """A channel, the stack that owns it, and another one that would."""

    def __init__(self, owner: Mover, other: Mover, images: list[str]) -> None:
        self.owner = owner
        self.other = other
        self.images = images
        self._stacks = 0

    def prepare(self, kind: str) -> None:
        """Let the other one be allowed to move the channel, too."""
        ssm = self.owner.bench.client("ssm")
        if self.owner.pointer() is None:
            # A case has failed before this one.
            self.owner.ask_for(self.images[0])
            assert self.owner.up().status == 0
        if kind == "copied state":
            self.other.take_state(self.owner)
        else:
            self._stacks += 1
            self.other.begin_anew(f"stack{self._stacks}")
        if kind in {"confirmed", "removal"}:
            self.other.ask_for(self.images[0])
            version = ssm.get_parameter(Name=POINTER)["Parameter"]["Version"]
            assert self.other.adopt(f"adopt {self.other.stack} --version {version}").status == 0
        if kind == "no pointer":
            ssm.delete_parameter(Name=POINTER)

    def write(self, image: str, *, anew: bool) -> None:
        """What a person does in the console."""
        ssm = self.owner.bench.client("ssm")
        if anew:
            ssm.delete_parameter(Name=POINTER)
        ssm.put_parameter(Name=POINTER, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True)

    def meet(self, race: Race, argv: Mapping[Mover, list[str]]) -> dict[Mover, Run]:
        """Hold the first at a call while the second goes to its end, or is held, too, until the first has ended."""
        first, second = (self.owner, self.other) if race.first == OWNER else (self.other, self.owner)
        paused = [] if race.pause is None else [rule(second, "hold", race.pause)]
        first.bench.set_faults(rule(first, "hold", race.held), *paused)
        with first.moving(*argv[first]) as one:
            if not one.until(1):
                # How many calls there are differs: a look that lags is made again. So they come one after the other.
                ended = {first: one.end()}
                first.bench.set_faults()
                with second.moving(*argv[second]) as two:
                    return {**ended, second: two.end()}
            with second.moving(*argv[second]) as two:
                waits = bool(paused) and two.until(2)
                ended = {} if waits else {second: two.end()}
                first.bench.set_faults(*([rule(second, "hold", times=0)] if waits else []))
                ended[first] = one.end()
                first.bench.set_faults()
                return ended if second in ended else {**ended, second: two.end()}


@pytest.fixture(scope="module")
def channel(
    bench: Workbench, lab: LabSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Channel]:
    with registry(bench) as images:
        made = images.validated(ROLE, 3)
    theirs = make_bench(lab, tmp_path_factory.mktemp("other"))
    owner, other = Mover(bench, ROLE, "stack0", "one"), Mover(theirs, ROLE, "other", "two")
    owner.ask_for(made[0])
    assert owner.up().status == 0
    channel = Channel(owner, other, made)
    yield channel
    # Its removal would be refused: the channel is not its own.
    channel.other.begin_anew("none")
    remove_stacks(channel.owner.bench)


@pytest.fixture(autouse=True)
def _well_again(bench: Workbench) -> Iterator[None]:
    """A case that fails leaves no call held."""
    yield
    bench.set_faults()


@pytest.mark.parametrize("race", cases())
def test_two_at_once(channel: Channel, race: Race, record_property: Any) -> None:
    record_property(CASE, f"race, {race.kind}")
    (a_hand_in_between if race.kind in HANDS else two_stacks)(channel, race, record_property)


def two_stacks(channel: Channel, race: Race, record_property: Any) -> None:
    """Two stacks promote, or one promotes while the other is removed."""
    owner, other = channel.owner, channel.other
    now = owner.pointer() or channel.images[0]
    channel.prepare(race.kind)
    mine, theirs = (image for image in channel.images if image != now)
    wants = {owner: mine, other: now if race.kind == "pinned" else theirs}
    for mover, image in wants.items():
        mover.ask_for(image)
    argv = {mover: mover.argv for mover in wants}
    templates = {mover: mover.template() for mover in wants}
    if race.kind == "removal":
        argv[owner] = owner.bench.pulumi_argv("destroy", owner.stack, "--yes", "--skip-preview")

    runs = channel.meet(race, argv)
    winner, loser = (owner, other) if race.winner == OWNER else (other, owner)
    if race.kind == "removal":
        del wants[owner]
    judge(
        record_property,
        [
            *((TRACEBACK, TRACE.search(run.output)) for run in runs.values()),
            *owner.lookup(),
            *(found for mover in wants for found in silent(mover, runs[mover], wants[mover])),
            *(
                (SILENT, SAID in runs[mover].output and mover.template() != templates[mover])
                for mover in wants
                # The copies have one launch template.
                if race.kind != "copied state"
            ),
            *winner.way_out(wants[winner]),
            *((SILENT, loser.unchanged()) for _ in wants.keys() & {loser}),
        ],
    )
    channel.owner, channel.other = winner, loser


def silent(mover: Mover, run: Run, image: str) -> Findings:
    """An update that ended well without its image, and the next preview does not say so."""
    wrong = mover.wrong(image) if run.status == 0 else []
    yield SILENT, wrong and mover.unchanged() and wrong


def a_hand_in_between(channel: Channel, race: Race, record_property: Any) -> None:
    """A person writes the pointer while a stack promotes."""
    owner, bench = channel.owner, channel.owner.bench
    wanted, theirs = (image for image in channel.images if image != owner.pointer())
    owner.ask_for(wanted)
    bench.set_faults(rule(owner, "hold", race.held))
    with owner.moving() as moving:
        moving.until(1)  # or to its end, if there is no call of that number: the hand comes after it then
        channel.write(theirs, anew=race.kind == "made anew")
        bench.set_faults()
        run = moving.end()
    judge(
        record_property,
        [
            (TRACEBACK, TRACE.search(run.output)),
            (HOLDERS, len(bench.holders(ROLE, CHANNEL)) > 1),
            (SILENT, run.status == 0 and owner.pointer() == wanted and "the hand's image is overwritten"),
            (SILENT, run.status == 0 and owner.unchanged()),
            *owner.way_out(wanted),
        ],
    )
