"""No value of config and no tag takes effect anywhere: it is refused with its file and key, or it passes as text.

The fields are those that the settings and the Packer template know, so that a new one is looked at as well.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo

from components.validation_machines import user_data
from pipeline.baking.variables import template_variables, variables_of
from pipeline.cli import options
from pipeline.doctor import show
from pipeline.doctor.findings import Report, Subject
from pipeline.errors import PipelineError
from pipeline.model import Image
from pipeline.promote import refusals
from pipeline.results import FAILED, CheckResult
from pipeline.settings import keys, load, provider, schema
from pipeline.settings.group import GroupKeys
from pipeline.settings.request import Request
from pipeline.settings.role import Role
from pipeline.validation import report
from tools.checks import PROJECT

HOSTILE = {
    "Jinja expression": "{{ lookup('pipe', 'touch effect') }}",
    "Jinja statement": "1.0{% set x = lookup('pipe', 'touch effect') %}",
    "Jinja comment": "a{# gone #}b",
    "HCL": '${file("/etc/passwd")}',
    "HCL directive": '%{ if true }x%{ endif }"\n}',
    "Go template": "{{ env `HOME` }}{{ isotime }}",
    "shell": "$(touch effect)`touch effect`; touch effect | touch effect && touch effect\n",
    "quotes": "'\"'; touch effect #",
    "option": "--version",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "Markdown": "[a](https://evil.example) **b** @everybody | `c`\n# d",
    "ANSI": "\x1b[2J\x1b]0;title\x07\x9b31m",
    "control characters": "a\x00b\x08c\rd\x7f\x85",
    "bidi": "\u202egnp.exe\u2066\u2029",
    "surrogate": "\ud800",
    "path": "../../../../etc/passwd",
    "long": "x" * 100_000,
}
CHANNEL = {"role": "web", "channel": "candidate", "from": "bake"}

SCRIPT = set(HOSTILE) - {"ANSI", "control characters", "bidi", "surrogate", "long"}

PASSES = {
    "golden-image:validation.smokeTest": SCRIPT,
    "golden-image:fleet.userData": SCRIPT,
    "golden-image:fleet.group.refresh.alarms": set(HOSTILE)
    - {"shell", "Markdown", "ANSI", "control characters", "bidi", "surrogate", "long"},
    "aws:profile": {"option", "path"},
    "golden-image:fleet.instanceProfile": {"option"},
}
"""What a field takes beside the refusals: the team's own commands are the shell's; AWS allows any name of an alarm,
which is an argument of a call and nothing else; a profile is a name in a file of the team's own; IAM allows a name of
hyphens. Each other field takes nothing of it, but for texts of the template's variables."""

TEXT_ALLOWED = {"HCL", "quotes", "option", "HTML", "path", "long"}
"""Data to Packer, Ansible and the image's page; tests/unit/packer looks for effect there."""


MARK = "HOSTILE-VALUE"


GROUP = {"minSize": 1, "maxSize": 2, "subnetIds": ["subnet-0123456789abcdef0"]}
"""What a group cannot be without."""


def aliased(model: type[keys.Keys]) -> dict[str, FieldInfo]:
    """The fields of a mapping by their names in a stack file."""
    return {str(field.alias): field for field in model.model_fields.values()}


def within(model: type[keys.Keys]) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Each field of a mapping and of those in it: the path of its name, and the mapping with HOSTILE's mark in it."""
    for name, field in aliased(model).items():
        inner = keys.mapping_of(field.annotation)
        if inner is None:
            yield from (([name], whole(model) | {name: value}) for value in (MARK, [MARK]))
            continue
        yield [name], whole(model) | {name: MARK}
        yield [name], whole(model) | {name: {MARK: "x"}}
        for path, value in within(inner):
            yield [name, *path], whole(model) | {name: value}


def whole(model: type[keys.Keys]) -> dict[str, Any]:
    """What a mapping cannot be without."""
    return dict(GROUP) if model is GroupKeys else {}


def fields() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each field that config may have: its name, and the config that has HOSTILE's mark in it."""
    for key, field in aliased(schema.Config).items():
        if key not in schema.OBJECT_KEYS:
            yield f"golden-image:{key}", {f"golden-image:{key}": MARK}
        inner = keys.mapping_of(field.annotation)
        if inner is not None:
            for path, mapping in within(inner):
                yield f"golden-image:{'.'.join([key, *path])}", {f"golden-image:{key}": mapping}
    yield "golden-image:allowedOwners", {"golden-image:allowedOwners": [MARK]}
    for section in schema.OBJECT_KEYS:
        yield f"golden-image:{section}", {f"golden-image:{section}": MARK}
    for key in provider.FOLLOWED:
        yield f"aws:{key}", {f"aws:{key}": MARK}
    known = template_variables(PROJECT / "packer")
    for name in sorted(known.content | known.access):
        for value in (MARK, [MARK]):
            yield f"bake.variables.{name}", {"golden-image:bake": {"variables": {name: value}}}
    yield "unknown key", {f"golden-image:{MARK}": "x"}
    yield "unknown variable", {"golden-image:bake": {"variables": {MARK: "x"}}}
    yield "unknown key of a section", {"golden-image:fleet": {MARK: "x"}}


FIELDS = list(fields())


def filled(value: Any, text: str) -> Any:
    """The config with the hostile text in the mark's place, as the engine hands it over."""
    if isinstance(value, dict):
        return {filled(key, text): filled(inner, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, text) for inner in value]
    return value.replace(MARK, text) if isinstance(value, str) else value


def refusal(config: dict[str, Any], text: str) -> PipelineError | None:
    """Why dev's config with the hostile text in it is refused; None if it is taken."""
    base = {f"golden-image:{key}": value for key, value in CHANNEL.items()} | {"aws:region": "eu-west-1"}
    whole = base | filled(config, text)
    engine = {key: value if isinstance(value, str) else json.dumps(value) for key, value in whole.items()}
    try:
        stack = load.parse(engine, stack="dev")
        role = Role(name=stack.role, file="role.yaml", ports={}, health=None, variables={})
        variables_of(stack, role, PROJECT / "packer")
    except PipelineError as error:
        return error
    return None


def readable(text: str) -> None:
    """A person sees all of it, and a terminal obeys nothing in it."""
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert len(text) < 5_000


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(
    ("name", "config"), FIELDS, ids=[f"{name}-{number}" for number, (name, _) in enumerate(FIELDS)]
)
def test_a_hostile_value_is_refused_with_its_file_and_key_or_is_text(
    name: str, config: dict[str, Any], kind: str
) -> None:
    error = refusal(config, HOSTILE[kind])
    if error is None:
        passes = TEXT_ALLOWED if name.startswith("bake.variables.") else PASSES.get(name, set())
        assert kind in passes, f"{name} takes {HOSTILE[kind]!r}"
    else:
        readable(str(error))
        assert "Pulumi.dev.yaml" in (error.change or "")
        assert name.startswith("unknown") or name.removeprefix("bake.variables.") in str(error)


def test_a_value_of_config_that_is_no_json() -> None:
    for section in schema.OBJECT_KEYS:
        with pytest.raises(PipelineError, match=f"golden-image:{section} is not valid") as caught:
            load.parse(
                {f"golden-image:{section}": "\x1b[2J" + "[" * 100_000, "aws:region": "eu-west-1"}, stack="dev"
            )
        readable(str(caught.value))


def image(text: str) -> Image:
    """An image of which everything that an account can choose is hostile."""
    tags = dict.fromkeys(
        ("Role", "ImageChannel", "Validated", "Revoked", "Rejected", "GitCommit", "Keep", "SourceImage"), text
    )
    return Image(
        id="ami-0123456789abcdef0", name=text, owner="123456789012", allowed_owner=True, state="available",
        architecture="x86_64", created="2026-01-31T12:00:00.000Z", tags=tags,
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
class TestTags:
    def test_a_refusal(self, text: str) -> None:
        request = Request(
            stack="prod", stack_file="Pulumi.prod.yaml", role="web", channel="prod", architecture="x86_64",
            owners=("self",), pin="ami-0123456789abcdef0", source_channel=None, upstream=None,
        )  # fmt: skip
        error = refusals.of_image(request, "ami-0123456789abcdef0", image(text))
        assert error is not None
        readable(str(error))

    def test_the_terminal(self, text: str, capsys: pytest.CaptureFixture[str]) -> None:
        options.say(f"  baked from it: ami-1 {text}")
        one = Subject("source image", f"stack {text}").warn(text, cause=text, cure=text)
        show.show(Report((one,)))
        shown = capsys.readouterr().out
        assert shown.replace("\n", "").replace("\t", "").isprintable()

    def test_a_report(self, text: str, tmp_path: Path) -> None:
        from xml.etree import ElementTree as ET

        result = CheckResult(
            check=f"test_x.py::{text}", address="a", outcome=FAILED, seconds=1, seen=text, wanted=text
        )
        facts = {"imageId": "ami-1", "validatedAt": "2026-01-31T12:00:00Z", "role": "web"}
        path = Path(report.write(facts, [result], {"a": "i-1"}, tmp_path)[0])
        assert json.loads(path.read_text())["checks"][0]["seen"] == text
        (failure,) = ET.parse(path.with_name("junit.xml")).iter("failure")  # our own
        assert failure.text


def test_no_text_of_config_reaches_a_machine_s_user_data() -> None:
    """The numbers and the digest that do are all it takes."""
    text = user_data(suite="a" * 32, keep_minutes=5)
    assert not re.search(r"\$\(|`|\{\{", text)


def test_the_fields_are_all_of_them() -> None:
    names = {name for name, _ in FIELDS}
    assert {
        "golden-image:role",
        "golden-image:fleet.instanceProfile",
        "golden-image:fleet.group.minSize",
        "golden-image:fleet.group.refresh.alarms",
        "bake.variables.image_version",
    } <= names
    assert len(names) > 40
