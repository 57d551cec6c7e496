"""The reference of stack config is that of the code, and the schema refuses what the program refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from pipeline.settings.schema import OBJECT_KEYS, Config
from tools import checks, reference

GROUP = {"minSize": 1, "maxSize": 2, "subnetIds": ["subnet-0123456789abcdef0"]}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(reference.schema())
    return Draft202012Validator(reference.schema())


def test_the_files_are_up_to_date() -> None:
    why = "run `python -m tools.reference`"
    assert reference.PAGE.read_text() == reference.page(), why
    assert reference.SCHEMA.read_text() == reference.json_text(), why
    assert reference.ROLE_SCHEMA.read_text() == reference.role_text(), why


def test_a_mapping_that_may_be_left_out_has_a_row_for_each_key() -> None:
    page = reference.page()
    assert "| `golden-image:fleet.group` | a mapping of keys to values | none |" in page
    assert (
        "| `golden-image:fleet.group.minSize` | a whole number from 0 to 10000 | required in `golden" in page
    )
    assert "| `golden-image:fleet.group.refresh.bakeMinutes` |" in page
    assert "| `golden-image:fleet` |" not in page


@pytest.mark.parametrize("folder", checks.ROLES)
def test_a_shipped_role_is_taken_and_names_the_schema(folder: str) -> None:
    path = checks.PROJECT / folder / "role.yaml"
    schema = json.loads(reference.role_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(yaml.safe_load(path.read_text()))
    assert list(Draft202012Validator(schema).iter_errors({"ports": {"a": "1"}, "port": {}}))
    named = path.read_text().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / named).resolve() == reference.ROLE_SCHEMA


@pytest.mark.parametrize("name", checks.STACK_FILES)
def test_a_shipped_stack_file_is_taken_and_names_the_schema(
    name: str, validator: Draft202012Validator
) -> None:
    path = checks.PROJECT / name
    validator.validate(yaml.safe_load(path.read_text()))
    first = path.read_text().splitlines()[0]
    schema = Path(first.removeprefix("# yaml-language-server: $schema="))
    assert (path.parent / schema).resolve() == reference.SCHEMA


@pytest.mark.parametrize(
    "config",
    [
        {"golden-image:chanel": "x"},
        {"golden-image:fleet": {"instanceTyp": "t3.micro"}},
        {"golden-image:fleet": {"group": {"minSize": 1, "maxSize": 2}}},
        {"golden-image:fleet": {"group": GROUP | {"maxSise": 2}}},
        {"golden-image:fleet": {"group": GROUP | {"refresh": {"bakeMinutes": 2881}}}},
        {"golden-image:validation": {"clones": 11}},
        {"golden-image:validation": {"clones": "2"}},
        {"golden-image:bake": {"serial": True}},
        {"golden-image:image": "ami-1"},
        {"golden-image:architecture": "x86"},
        {"aws:accessKey": "x"},
    ],
)
def test_refused(config: dict[str, Any], validator: Draft202012Validator) -> None:
    assert not validator.is_valid({"config": config})


@pytest.mark.parametrize(
    "config",
    [
        {"golden-image:validation": {"secure": "v1:x"}},
        {"aws:defaultTags": {"tags": {"Team": "web"}}},
        {"golden-image:fleet": {"group": GROUP | {"refresh": {"checkpointPercents": [50, 100]}}}},
        {"other:key": 1},
        {},
    ],
)
def test_taken(config: dict[str, Any], validator: Draft202012Validator) -> None:
    assert validator.is_valid({"config": config, "encryptionsalt": "v1:x"})


def test_the_object_keys_are_all_of_them() -> None:
    found = Config.model_json_schema()["properties"]
    assert {key for key, value in found.items() if value.get("type") == "array" or "$ref" in value} == set(
        OBJECT_KEYS
    )
