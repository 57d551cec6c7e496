"""A stack's README is filled in, or says what it lacks; it names every output, and only those."""

import re

import pytest
from markdown_it import MarkdownIt

from pipeline.errors import PipelineError
from pipeline.operate import about
from tools.checks import PROJECT


def test_filled_in() -> None:
    values = {"readme": "${outputs.a}, ${outputs.b}, ${outputs.c}: $x", "a": "ami-1", "b": 3, "c": ""}
    assert about.render(values) == "ami-1, 3, none: $x"


@pytest.mark.parametrize(
    "hostile", ["<b>x</b>", "[a](http://evil)", "`x` *y*", "a | b", "x\n# title", "\x1b[31mred"]
)
def test_no_output_takes_effect(hostile: str) -> None:
    names = about.PLACE.findall((PROJECT / "Pulumi.README.md").read_text())
    tag = re.compile(r"<[^>]*>")

    def tags_with(text: str) -> list[str]:
        filled = about.render(
            {"readme": (PROJECT / "Pulumi.README.md").read_text()} | dict.fromkeys(names, text)
        )
        assert filled.replace("\n", "").isprintable()
        return tag.findall(MarkdownIt("commonmark", {"html": True}).enable("table").render(filled))

    assert tags_with(hostile) == tags_with("harmless")


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
