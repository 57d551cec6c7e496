"""An image has to have been in the channel before for a day: the lab's time is moved, nothing waits."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from lab import surroundings
from lab.settings import LabSettings
from lab.workbench import Workbench
from tests.e2e.registry import registry

ROLE = "soaking"


def ask(bench: Workbench, stack: str, **keys: str) -> None:
    """Write a stack's file: role, and these keys."""
    given = {"role": ROLE, **keys}
    lines = ["config:", "  aws:region: eu-west-1"]
    lines += [f"  golden-image:{key.removesuffix('_')}: {value}" for key, value in given.items()]
    bench.stack_file(stack).write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def images(bench: Workbench) -> Iterator[list[str]]:
    with registry(bench) as made:
        yield made.validated(ROLE, 2)


def test_an_image_is_refused_until_it_has_been_a_candidate_for_a_day(
    bench: Workbench, lab: LabSettings, images: list[str]
) -> None:
    first, second = images
    prod: Mapping[str, str] = {"channel": "prod", "from_": "candidate", "soak": "24h"}
    ask(bench, "dev", channel="candidate", image=first)
    ask(bench, "prod", **prod)
    assert bench.up("dev").status == 0
    refused = bench.preview("prod")
    assert refused.status != 0
    assert f"the image in channel candidate {first} has not proven itself there yet" in refused.output
    assert bench.pointer(ROLE, "prod") is None
    ready = re.search(r"it will be ready at (.*?) UTC, in (?:24 h|23 h 59 min): then", refused.output)
    assert ready, refused.output
    left = datetime.fromisoformat(f"{ready[1]}+00:00") - datetime.now(UTC)

    surroundings.advance(lab, (left + timedelta(seconds=1)).total_seconds())
    assert bench.up("prod").status == 0
    assert bench.pointer(ROLE, "prod") == first

    ask(bench, "dev", channel="candidate", image=second)
    assert bench.up("dev").status == 0
    assert f"{second} has not proven itself there yet" in bench.preview("prod").output
    ask(bench, "prod", **prod, image=second)
    pinned = bench.preview("prod")
    assert pinned.status == 0
    assert "overrides golden-image:soak (24 h)" in pinned.output
