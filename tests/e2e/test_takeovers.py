"""A channel that somebody else moves: a stack says so, overwrites nothing, and names one way out."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.workbench import Run, Workbench
from tests.e2e.conftest import MANNERS, Bench
from tests.e2e.registry import registry
from tests.e2e.test_api_faults import made_anew

ROLE, CHANNEL = "moves", "prod"
POINTER = f"/golden-image/{ROLE}/{CHANNEL}"
FIRST, SECOND = "first", "second"
"""Two stacks that promote into one channel, which no two should."""

WRITTEN_SECONDS = 300
"""Within which the lab writes a pointer that it has accepted."""

NOT_MINE = "holds an image that this stack did not put there; not overwriting it"


def configure(bench: Workbench, stack: str, image: str, source: str = "candidate") -> None:
    lines = [
        "aws:region: eu-west-1",
        f"golden-image:role: {ROLE}",
        f"golden-image:channel: {CHANNEL}",
        f"golden-image:from: {source}",
        f"golden-image:image: {image}",
    ]
    bench.stack_file(stack).write_text("config:\n" + "".join(f"  {line}\n" for line in lines))


@dataclass
class Account:
    """The account, and the images in it."""

    bench: Bench
    images: list[str]

    def up(self, stack: str, image: str, *options: str) -> Run:
        configure(self.bench, stack, image)
        return self.bench.run(*self.bench.pulumi_argv("up", stack, "--yes", "--skip-preview", *options))

    def adopt(self, stack: str, version: int) -> Run:
        file = str(self.bench.stack_file(stack))
        words = ("adopt", stack, "--version", str(version), "--config-file", file)
        return self.bench.run("python", "-m", "pipeline", *words)

    def version(self) -> int:
        version: int = self.bench.client("ssm").get_parameter(Name=POINTER)["Parameter"]["Version"]
        return version

    def labels(self) -> list[str]:
        found = self.bench.client("ssm").get_parameter_history(Name=POINTER)["Parameters"]
        return [name for entry in found for name in entry["Labels"]]

    def by_hand(self, image: str) -> None:
        """What a person does in the console; AWS writes it after it has answered."""
        self.bench.client("ssm").put_parameter(
            Name=POINTER, Value=image, Type="String", DataType="aws:ec2:image", Overwrite=True
        )
        deadline = time.monotonic() + WRITTEN_SECONDS
        while self.bench.pointer(ROLE, CHANNEL) != image:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def template(self, stack: str) -> str:
        found = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.bench.outputs(stack)["launchTemplateId"], Versions=["$Default"]
        )["LaunchTemplateVersions"][0]
        image: str = found["LaunchTemplateData"]["ImageId"]
        return image

    def check(self, stack: str, image: str) -> None:
        """Pointer, tag, launch template, label and preview agree."""
        assert self.bench.pointer(ROLE, CHANNEL) == image
        assert self.bench.holders(ROLE, CHANNEL) == [image]
        assert self.template(stack) == image
        (label,) = self.labels()
        assert label.startswith(f"golden-image.{stack}.")
        assert self.bench.preview(stack, "--expect-no-changes").status == 0

    def refused(self, run: Run, why: str, image: str) -> None:
        """Nothing was overwritten; a lookup by tag finds one image at the most."""
        assert run.status != 0
        assert why in run.output
        assert "Traceback" not in run.output
        assert self.bench.pointer(ROLE, CHANNEL) == image
        assert len(self.bench.holders(ROLE, CHANNEL)) <= 1


@pytest.fixture(scope="module")
def account(bench: Bench) -> Account:
    with registry(bench) as images:
        return Account(bench, images.validated(ROLE, 4))


@pytest.fixture(autouse=True)
def mine(account: Account) -> Iterator[str]:
    """The image that the first stack has promoted, undisturbed."""
    mine = account.images[0]
    account.bench.set_faults()
    if account.bench.pointer(ROLE, CHANNEL) is not None:
        account.adopt(FIRST, account.version())
    assert account.up(FIRST, mine).status == 0
    yield mine
    account.bench.set_faults()


def test_a_hand_moved_it(account: Account, mine: str) -> None:
    """Whatever else would make the pointer be written: nothing at all, a refresh, another description."""
    theirs = account.images[1]
    account.by_hand(theirs)
    bench = account.bench
    refused = bench.preview(FIRST, "--expect-no-changes")
    account.refused(refused, NOT_MINE, theirs)
    way_out = f"python -m pipeline adopt {FIRST} --version {account.version()}"
    assert way_out in refused.output
    account.refused(account.up(FIRST, mine), NOT_MINE, theirs)
    account.refused(account.up(FIRST, mine, "--refresh"), NOT_MINE, theirs)
    configure(bench, FIRST, mine, source="staging")
    account.refused(bench.up(FIRST), NOT_MINE, theirs)
    assert account.template(FIRST) == mine

    wrong = account.adopt(FIRST, account.version() - 1)
    assert wrong.status != 0
    assert f"channel {CHANNEL} is not at version" in wrong.output
    assert account.adopt(FIRST, account.version()).status == 0
    assert account.up(FIRST, mine).status == 0
    account.check(FIRST, mine)


def test_the_stack_keeps_what_a_hand_put_there(account: Account) -> None:
    theirs = account.images[1]
    account.by_hand(theirs)
    assert account.up(FIRST, theirs).status == 0
    account.check(FIRST, theirs)


def test_another_stack_took_it_over(account: Account, mine: str) -> None:
    theirs = account.images[2]
    account.refused(account.up(SECOND, theirs), NOT_MINE, mine)
    assert account.adopt(SECOND, account.version()).status == 0
    assert account.up(SECOND, theirs).status == 0
    account.check(SECOND, theirs)
    refused = account.bench.preview(FIRST)
    account.refused(refused, NOT_MINE, theirs)
    assert f"label of stack {SECOND}" in refused.output, "the overwritten stack learns who it was"


def test_a_write_that_failed_and_somebody_elses_after_it(account: Account, mine: str) -> None:
    theirs, wanted = account.images[1:3]
    denied = {"action": "PutParameter", "kind": "error", "code": "AccessDeniedException"}
    account.bench.set_faults(denied)
    failed = account.up(FIRST, wanted)
    assert failed.status != 0
    assert account.bench.holders(ROLE, CHANNEL) == []
    account.by_hand(theirs)
    account.refused(account.up(FIRST, wanted), NOT_MINE, theirs)
    assert account.template(FIRST) == mine


def interrupted(account: Account, image: str, between: Any) -> Run:
    """An update of the first stack whose write comes after `between`."""
    bench = account.bench
    bench.set_faults({"action": "PutParameter", "kind": "hold"})
    configure(bench, FIRST, image)
    with bench.start(*bench.pulumi_argv("up", FIRST, "--yes", "--skip-preview")) as process:
        while not bench.struck():
            assert process.poll() is None
        between()
        bench.set_faults()
        assert process.stdout is not None
        output = process.stdout.read()
    return Run(process.returncode, output, 0.0)


def test_it_was_made_anew_between_the_look_and_the_write(account: Account, mine: str) -> None:
    theirs, wanted = account.images[1:3]

    def made_anew() -> None:
        account.bench.client("ssm").delete_parameter(Name=POINTER)
        account.by_hand(theirs)

    run = interrupted(account, wanted, made_anew)
    account.refused(run, f"channel {CHANNEL} was changed by another promotion", wanted)
    assert account.bench.holders(ROLE, CHANNEL) in ([], [wanted])
    assert theirs in run.output
    assert account.template(FIRST) == mine


def test_two_first_promotions_at_once(account: Account) -> None:
    bench = account.bench
    # Of the second one, too: a state that has the pointer would make its update another one than a first.
    theirs, wanted = account.images[1:3]
    for stack, image in ((FIRST, wanted), (SECOND, theirs)):
        configure(bench, stack, image)
        assert bench.run(*bench.pulumi_argv("destroy", stack, "--yes", "--skip-preview")).status == 0

    def second() -> None:
        assert account.up(SECOND, theirs).status == 0

    run = interrupted(account, wanted, second)
    account.refused(run, f"channel {CHANNEL} was changed by another promotion", wanted)
    assert bench.holders(ROLE, CHANNEL) in ([], [wanted])
    bench.await_reads()
    account.refused(bench.preview(SECOND), NOT_MINE, wanted)
    assert account.up(FIRST, wanted).status == 0, "the last one is there, and asked for"
    account.check(FIRST, wanted)


@pytest.mark.parametrize(
    "manners", [("late-image-parameters",), ("late-image-parameters", "stale-reads")], ids=" and ".join
)
def test_a_pointer_that_is_written_after_the_provider_has_read_it(
    account: Account, mine: str, manners: tuple[str, ...]
) -> None:
    """The provider then returns the earlier image, and so has the state."""
    wanted = account.images[1]
    bench = account.bench

    def up(image: str) -> None:
        bench.set_manners(*manners)
        run = account.up(FIRST, image)
        bench.set_manners(*MANNERS)
        assert run.status == 0

    try:
        up(wanted)
        version = account.version()
        account.check(FIRST, wanted)
        up(wanted)
        assert account.version() == version, "nothing is written that is there already"
        up(mine)
        account.check(FIRST, mine)
    finally:
        bench.set_manners(*MANNERS)


def test_a_pointer_that_is_gone_though_the_state_has_it(account: Account, mine: str) -> None:
    account.bench.client("ssm").delete_parameter(Name=POINTER)
    made_anew(account.bench, lambda: account.up(FIRST, mine))
    account.check(FIRST, mine)


@pytest.mark.parametrize(
    "action",
    [
        "DeleteTags",
        "PutParameter",
        "LabelParameterVersion",
        "UnlabelParameterVersion",
        "CreateTags",
        "CreateLaunchTemplateVersion",
        "ModifyLaunchTemplate",
    ],
)
def test_after_a_call_that_fails_no_lookup_finds_the_wrong_image(
    account: Account, mine: str, action: str
) -> None:
    wanted = account.images[3]
    bench = account.bench
    bench.set_faults({"action": action, "kind": "error", "code": "UnauthorizedOperation", "status": 403})
    run = account.up(FIRST, wanted)
    assert run.status != 0
    assert bench.struck() == [action]
    assert "Traceback" not in run.output
    held = bench.pointer(ROLE, CHANNEL)
    assert bench.holders(ROLE, CHANNEL) in ([], [held])
    assert (held == mine) is (action in ("DeleteTags", "PutParameter"))
    assert account.up(FIRST, wanted).status == 0, "nothing but the same again"
    account.check(FIRST, wanted)


def test_a_stack_goes_and_leaves_the_pointer_that_somebody_else_moved(account: Account, mine: str) -> None:
    bench, theirs = account.bench, account.images[1]
    account.by_hand(theirs)
    destroy = bench.pulumi_argv("destroy", FIRST, "--yes", "--skip-preview")
    refused = bench.run(*destroy)
    assert refused.status != 0
    assert "to keep it: `pulumi stack --show-urns" in refused.output
    shown = bench.run("pulumi", "stack", "--show-urns", "--stack", FIRST, "--non-interactive")
    (urn,) = re.findall(r"urn:\S+aws:ssm/parameter:Parameter::\S+", shown.output)
    words = ("--target-dependents", "--stack", FIRST, urn, "--yes", "--non-interactive")
    deleted = bench.run("pulumi", "state", "delete", *words)
    assert deleted.status == 0, deleted.output
    assert bench.run(*destroy).status == 0
    assert account.bench.pointer(ROLE, CHANNEL) == theirs
    account.bench.client("ssm").delete_parameter(Name=POINTER)
