"""Late and stale answers: a promotion and a rollback end with one image everywhere, or say that they failed.

GOLDEN_IMAGE_SEEDS is how many seeds are tried (`make sweep`: 50), from GOLDEN_IMAGE_SEED on.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.workbench import Workbench
from tests.e2e.conftest import MANNERS
from tests.e2e.registry import registry
from tests.e2e.tally import CASE

ROLE = "late"
CHANNEL = "prod"
STACK = "prod"
FIRST, COUNT = int(os.environ.get("GOLDEN_IMAGE_SEED", "1")), int(os.environ.get("GOLDEN_IMAGE_SEEDS", "1"))
SEEDS = range(FIRST, FIRST + COUNT)


@dataclass
class Account:
    """The account, its two images, and how many updates there were and how many of them failed."""

    bench: Workbench
    images: list[str]
    updates: int = 0
    failed: list[str] = field(default_factory=list)

    def ask_for(self, image: str) -> None:
        """Pin an image in the stack's file."""
        lines = ["aws:region: eu-west-1", f"golden-image:role: {ROLE}", f"golden-image:channel: {CHANNEL}"]
        text = "".join(f"  {line}\n" for line in [*lines, f"golden-image:image: {image}"])
        self.bench.stack_file(STACK).write_text(f"config:\n{text}")

    def named(self) -> dict[str, object]:
        """What the consumers take, each by its own way."""
        template = self.bench.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.bench.outputs(STACK)["launchTemplateId"], Versions=["$Default"]
        )["LaunchTemplateVersions"][0]
        return {
            "launch template": template["LaunchTemplateData"]["ImageId"],
            "pointer": self.bench.pointer(ROLE, CHANNEL),
            "lookup": self.bench.holders(ROLE, CHANNEL),
        }

    def move(self, image: str, what: str) -> None:
        """Update to an image: all name it when the update ends with 0; else the next update puts it right."""
        self.ask_for(image)
        self.updates += 1
        if self.bench.up(STACK).status != 0:
            self.failed.append(what)
            self.bench.set_manners()
            assert self.bench.up(STACK).status == 0
        assert self.named() == {"launch template": image, "pointer": image, "lookup": [image]}, what


@pytest.fixture(scope="module")
def account(bench: Workbench) -> Iterator[Account]:
    with registry(bench) as images:
        account = Account(bench, images.validated(ROLE, 2))
    bench.set_manners()
    account.ask_for(account.images[0])
    assert bench.up(STACK).status == 0
    yield account
    bench.set_manners(*MANNERS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_promotion_and_a_rollback(account: Account, seed: int, record_property: Any) -> None:
    record_property(CASE, "late and stale answers")
    old, new = account.images
    for image, what in ((new, f"promotion, seed {seed}"), (old, f"rollback, seed {seed}")):
        account.bench.set_manners("late-image-parameters", "stale-reads", "throttling", seed=seed)
        account.move(image, what)


def test_most_updates_do_not_fail(account: Account) -> None:
    """An update that always fails would pass the test above. Each worker counts its own."""
    assert account.updates
    assert len(account.failed) <= account.updates / 10, account.failed
