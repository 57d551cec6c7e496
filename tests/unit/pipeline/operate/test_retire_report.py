"""What a person reads of a clean-up."""

from typing import Any

import pytest

from pipeline.operate import retire_report
from pipeline.operate.retire import Plan, Removal
from tests.unit.pipeline.making import image

OLD = [image(f"ami-{number}", name=f"web-{number}") for number in range(1, 6)]


def report(decided: Any, done: Removal | None = None, *, cap: int = 2, each: bool = False) -> list[str]:
    return [line.strip() for line in retire_report.lines(decided, done, cap=cap, each=each)]


@pytest.fixture
def decided() -> Plan:
    kept = {f"ami-a{number}": "younger than 7 days" for number in range(5)}
    kept |= {"ami-b": "in channel prod", "ami-c": "used by i-1", "ami-d": "used by lt-1"}
    return Plan(kept=kept, images=OLD, snapshots=[])


def test_a_reason_names_few_images_and_counts_many(decided: Plan) -> None:
    assert report(decided) == [
        "keep    5 images, younger than 7 days",
        "keep    1 image, in channel prod: ami-b",
        "keep    2 images, used by machines or launch templates: ami-c, ami-d",
        "retire  ami-1  web-1, 2026-01-31",
        "retire  ami-2  web-2, 2026-01-31",
        "retire  3 more images; --all lists them",
        "nothing has been removed; --yes does it, at most 2 images in one run",
    ]


def test_each_image_where_that_is_asked_for(decided: Plan) -> None:
    lines = report(decided, each=True)
    assert sum(line.startswith("keep ") for line in lines) == len(decided.kept)
    assert sum(line.startswith("retire ") for line in lines) == len(OLD)


def test_what_was_done(decided: Plan) -> None:
    done = Removal(
        removed=["ami-1", "snap-1"], refused={"ami-2": "denied"}, in_use={"ami-3": "InvalidAMIID.InUse"}
    )
    lines = report(decided, done)
    assert "removed ami-1  web-1, 2026-01-31" in lines
    assert "refused ami-2  denied" in lines
    assert any(line.startswith("keep    ami-3  in use by another image") for line in lines)
    assert lines[-1] == (
        "removed 1 image and 1 snapshot; 4 images left to remove: run it again, or with a larger --cap"
    )
