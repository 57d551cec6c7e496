"""An image is taken from a channel that has held it long enough; a pin overrides that, and says so."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.promote import pointer, preview_lines, soak
from pipeline.promote.select import Choice
from pipeline.promote.standing import label
from pipeline.scaling import Group
from tests.unit.pipeline.making import GOOD, NOON, REQUEST, Known, standing, version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.model import Image, PointerVersion

SOAKING = replace(REQUEST, soak=timedelta(hours=24))
PINNED = replace(SOAKING, pin=GOOD.id, source_channel=None)
GROUP = Group(name="web-candidate", version=None, least=1, most=1, desired=1, members=())
DEPLOYED = replace(GOOD, tags={**GOOD.tags, "Deployed-candidate": "2026-01-31T12:00:00Z r-1"})


def record(*images: str) -> list[PointerVersion]:
    """Newest first; one an hour from noon on."""
    return [version(number, one, minute=60 * (number - 1)) for number, one in enumerate(images, 1)][::-1]


def held(*images: str, groups: Sequence[Group] = ()) -> Known:
    return Known(GOOD, histories={"candidate": record(*images)}, groups=groups)


def refused(hours: float, *images: str, image: Image = GOOD, groups: Sequence[Group] = ()) -> str | None:
    """The refusal at a time after noon, if there is one."""
    found = soak.refusal(held(*images, groups=groups), SOAKING, image, NOON + timedelta(hours=hours))
    return None if found is None else str(found)


@pytest.fixture(autouse=True)
def _no_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointer, "LAG_SECONDS", 0)


def test_refused_until_the_time_is_over() -> None:
    text = refused(2.5, GOOD.id)
    assert text is not None
    assert f"the image in channel candidate {GOOD.id} has not proven itself there yet" in text
    assert "since 2026-01-31 12:00:00 UTC, for 2 h 30 min" in text
    assert "for 24 h without a break (golden-image:soak in Pulumi.prod.yaml)" in text
    assert "it will be ready at 2026-02-01 12:00:00 UTC, in 21 h 30 min" in text
    assert "a pin overrides the soak; golden-image:image in Pulumi.prod.yaml" in text
    assert refused(23.999, GOOD.id) is not None
    assert refused(24, GOOD.id) is None


def test_what_is_written_again_counts_on_and_a_break_counts_anew() -> None:
    again = (GOOD.id, GOOD.id, GOOD.id)
    assert refused(24, *again) is None
    broken = (GOOD.id, "ami-9", GOOD.id)
    text = refused(25, *broken)
    assert text is not None
    assert "since 2026-01-31 14:00:00 UTC" in text
    assert refused(26, *broken) is None


def test_a_stage_with_a_group_must_have_come_to_run_it() -> None:
    text = refused(30, GOOD.id, groups=[GROUP])
    assert text is not None
    assert "no tag Deployed-candidate: web-candidate has not come to run it" in text
    assert "it will be ready at" not in text
    assert "`pulumi up` on the stack whose golden-image:channel is candidate" in text
    both = refused(1, GOOD.id, groups=[GROUP])
    assert both is not None
    assert "it will be ready at" in both
    assert "no tag Deployed-candidate" in both
    assert refused(30, GOOD.id, groups=[GROUP], image=DEPLOYED) is None
    assert refused(30, GOOD.id) is None, "no group, nothing to deploy to"


def test_a_channel_that_moves_at_this_moment() -> None:
    text = refused(30, "ami-9", image=GOOD)
    assert text is not None
    assert "for 0 min" in text


@pytest.mark.parametrize("request_", [REQUEST, PINNED, replace(SOAKING, source_channel=None, upstream=None)])
def test_without_soak_and_with_a_pin_nothing_is_read(request_: Any) -> None:
    account = held(GOOD.id, groups=[GROUP])
    assert soak.refusal(account, request_, GOOD, NOON) is None
    assert account.reads == []


def overridden(hours: float, *images: str, image: Image = GOOD, groups: Sequence[Group] = ()) -> str | None:
    return soak.overridden(held(*images, groups=groups), PINNED, image, NOON + timedelta(hours=hours))


def test_a_pin_overrides_only_what_the_soak_would_have_refused() -> None:
    assert overridden(2, GOOD.id) == f"channel candidate has held {GOOD.id} for 2 h without a break"
    assert overridden(24, GOOD.id) is None
    assert overridden(2, "ami-9") == f"channel candidate has never held {GOOD.id}"
    assert overridden(30, GOOD.id, "ami-9", GOOD.id, "ami-9", "ami-9") == (
        f"channel candidate has held {GOOD.id} for 1 h without a break"
    )
    assert overridden(30, *[GOOD.id] * 25, "ami-9") is None, "an earlier image, which was there long enough"
    assert overridden(30, GOOD.id, groups=[GROUP]) == f"web-candidate has not come to run {GOOD.id}"
    assert overridden(30, GOOD.id, groups=[GROUP], image=DEPLOYED) is None


def test_what_ssm_has_forgotten_is_not_said() -> None:
    known = replace(GOOD, tags={**GOOD.tags, "Held-candidate": "2025-01-31T12:00:00Z"})
    assert overridden(200, *["ami-9"] * 100, image=known) is None
    assert overridden(200, *["ami-9"] * 100) is not None, "no tag, and so never there"


def lines(request_: Any, holds: str) -> list[str]:
    choice = Choice(image=GOOD, origin="pin")
    stands = standing((holds, label("prod", "0a1b2c3d")))
    return preview_lines.about(choice, request_, stands, held(GOOD.id), NOON + timedelta(hours=2))


def test_the_preview_says_what_a_pin_overrides() -> None:
    line = lines(PINNED, "ami-1")[1]
    assert line == (
        "golden-image:image in Pulumi.prod.yaml overrides golden-image:soak (24 h): channel candidate has held "
        f"{GOOD.id} for 2 h without a break"
    )
    assert lines(PINNED, GOOD.id) == [], "nothing moves"
    assert len(lines(replace(PINNED, soak=None), "ami-1")) == 1
    assert len(lines(SOAKING, "ami-1")) == 1


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(), "0 min"),
        (timedelta(seconds=-5), "0 min"),
        (timedelta(seconds=1), "1 min"),
        (timedelta(minutes=90), "1 h 30 min"),
        (timedelta(hours=24), "24 h"),
        (timedelta(hours=47, minutes=59, seconds=59), "48 h"),
        (timedelta(days=3), "3 d"),
        (timedelta(days=3, hours=1, minutes=5), "3 d 1 h 5 min"),
    ],
)
def test_spans(time: timedelta, text: str) -> None:
    assert soak.span(time) == text
