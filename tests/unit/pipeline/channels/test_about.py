"""A stack's README is filled in, or says what it lacks; it names every output, and only those."""

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.channels import about
from pipeline.channels.pointer import tenure
from pipeline.errors import PipelineError
from pipeline.model import PointerVersion
from tools.checks import PROJECT

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_filled_in() -> None:
    values = {"readme": "${outputs.a}, ${outputs.b}, ${outputs.c}: $x", "a": "ami-1", "b": 3, "c": ""}
    assert about.render(values) == "ami-1, 3, none: $x"


def test_an_output_that_is_not_there() -> None:
    with pytest.raises(PipelineError, match="names an output that the stack does not have"):
        about.render({"readme": "${outputs.imageid}", "imageId": "ami-1"})


def test_the_readme_of_this_project_names_what_the_program_exports() -> None:
    exported = set()
    for line in (PROJECT / "components/outputs.py").read_text().splitlines():
        if line.strip().startswith("pulumi.export("):
            exported.add(line.split('"')[1])
    text = (PROJECT / "Pulumi.README.md").read_text()
    assert set(about.PLACE.findall(text)) < exported
    assert not [name for name in exported if f"`{name}`" not in text], "each is explained"


def test_tags_say_what_there_is() -> None:
    values = {"imageId": "ami-1", "imageName": "web", "channel": "prod", "gitCommit": ""}
    wanted = {"golden-image:image": "ami-1", "golden-image:name": "web", "golden-image:channel": "prod"}
    assert about.tags(values) == wanted


@pytest.mark.parametrize(
    ("held", "minutes", "previous"),
    [("a", 0, None), ("aa", 0, None), ("ab", 1, "a"), ("abb", 1, "a"), ("abab", 3, "a"), ("aba", 2, "b")],
)
def test_since_when_and_what_before(held: str, minutes: int, previous: str | None) -> None:
    record = [
        PointerVersion(version=number + 1, image_id=image, when=NOON + timedelta(minutes=number), by="")
        for number, image in enumerate(held)
    ]
    assert tenure(record) == (NOON + timedelta(minutes=minutes), previous)
