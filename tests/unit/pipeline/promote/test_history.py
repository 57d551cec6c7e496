"""Which image of a channel's record it could go back to."""

from datetime import UTC, datetime

import pytest

from pipeline.model import PointerVersion
from pipeline.promote.history import Entry, previous_good
from tests.unit.pipeline.making import EVIDENCE, image

WHEN = datetime(2026, 2, 1, tzinfo=UTC)
OBSTACLES = {
    "revoked": image("ami-revoked", tags={"Validated": EVIDENCE, "Revoked": "CVE"}),
    "unproven": image("ami-unproven", tags={}),
    "pending": image("ami-pending", state="pending"),
    "rejected": image("ami-rejected", tags={"Validated": EVIDENCE, "Rejected": "prod 2026 why"}),
    "gone": None,
}


def record(*names: str) -> list[Entry]:
    """Newest first."""
    return [
        Entry(
            pointer=PointerVersion(version=len(names) - number, image_id=f"ami-{name}", when=WHEN, by="x"),
            image=OBSTACLES.get(name, image(f"ami-{name}")),
            current=name == names[0],
            rejected=name == "rejected",
        )
        for number, name in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("names", "held", "expected"),
    [
        ("2 1", None, "ami-1"),
        ("1", None, None),
        ("", None, None),
        # Going back twice goes further back, and not forth.
        ("1 2 1", None, None),
        ("2 3 2 1", None, "ami-1"),
        ("2 2 1", None, "ami-1"),
        ("2 revoked rejected unproven pending gone 1", None, "ami-1"),
        # What a note tells: after an update that has yet to come.
        ("2 1", "ami-3", "ami-2"),
        ("2 1", "ami-1", None),
        ("3 2 1", "ami-2", "ami-1"),
        ("revoked 1", "ami-3", "ami-1"),
        # After a return: 1 is there again, and what it displaced was rejected.
        ("1 rejected 1 0", None, "ami-0"),
        ("1 rejected 1 0", "ami-3", "ami-1"),
        ("", "ami-1", None),
    ],
)
def test_previous_good(names: str, held: str | None, expected: str | None) -> None:
    found = previous_good(record(*names.split()), held)
    assert (found.pointer.image_id if found else None) == expected
