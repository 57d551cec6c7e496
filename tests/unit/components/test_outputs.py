"""A stack's outputs have the names that Pulumi.README.md and `about` go by."""

import re
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest

from components import outputs
from pipeline.promote.select import Choice
from tests.unit.pipeline.making import EVIDENCE, GOOD, image
from tools.checks import PROJECT


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(pulumi, "export", found.__setitem__)
    return found


def chosen(**tags: str) -> Choice:
    made = image(tags={**GOOD.tags, **tags})
    found: Any = SimpleNamespace(image=made, origin="candidate")
    return cast("Choice", found)


class Said:
    """An output that is known."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def apply(self, change: Any) -> Any:
        return change(self.value)


def stack_of(exported: dict[str, Any]) -> None:
    promotion = SimpleNamespace(
        image_id="ami-1", since="s", previous_image="", pointer="/golden-image/web/prod"
    )
    fleet = SimpleNamespace(launch_template_id="lt-1", latest_version=7)
    stack = SimpleNamespace(stack="prod", channel="prod")
    outputs.of_stack(cast("Any", stack), cast("Any", promotion), cast("Any", fleet))


def test_a_stack_that_promotes(exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    outputs.of_choice(chosen(GitCommit="c0ffee"))
    stack_of(exported)
    assert exported["imageId"] == "ami-1"
    assert exported["gitCommit"] == "c0ffee"
    assert exported["validated"] == EVIDENCE
    assert exported["rollbackCommand"] == "python -m pipeline rollback prod"
    assert exported["launchTemplateVersion"] == 7


def test_a_stack_that_bakes_has_all_that_the_other_has(
    exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    outputs.of_choice(chosen())
    promoting = set(exported)
    exported.clear()
    build = SimpleNamespace(result=Said({"name": "web-1", "gitCommit": None}))
    outputs.of_baked(
        cast("Any", SimpleNamespace(build=build, validation=SimpleNamespace(validated="v", report="r")))
    )
    assert set(exported) - promoting == {"validationReport"}
    assert promoting <= set(exported)
    assert exported["gitCommit"] == "", "outside of a repository"


def test_the_page_asks_for_no_output_that_is_not_there(
    exported: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PROJECT)
    outputs.of_choice(chosen())
    stack_of(exported)
    asked = set(re.findall(r"\$\{outputs\.(\w+)\}", exported["readme"]))
    assert asked
    assert asked <= set(exported)
