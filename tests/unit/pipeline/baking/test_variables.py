"""Values for the template's variables: known, of their type, and data."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from pipeline.baking.variables import ELSEWHERE, FACTS, TemplateVariables, split_variables, template_variables
from pipeline.errors import PipelineError

WHERE = "golden-image:bake.variables in Pulumi.dev.yaml"


@pytest.fixture
def known(tmp_path: Path) -> TemplateVariables:
    (tmp_path / "variables.pkr.hcl").write_text(
        'variable "image_version" {\n  type        = string\n  description = "x"\n}\n\n'
        'variable "source_image_owners" {\n  type = list(string)\n}\n\n'
        'variable "encrypt_boot" {\n  type = bool\n}\n\n'
        'variable "volume_size" {\n  type = number\n}\n\n'
        'variable "disks" {\n  type = list(object({\n    size = number\n  }))\n}\n\n'
        'variable "image_role" {\n  type = string\n}\n'
    )
    (tmp_path / "access.pkr.hcl").write_text(
        'variable "region" {\n}\n\nvariable "subnet_id" {\n  type = string\n}\n'
    )
    return template_variables(tmp_path)


def refusal(known: TemplateVariables, name: str, value: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        split_variables({name: value}, known, where=WHERE)
    text = str(caught.value)
    assert name in text
    assert WHERE in text
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    return text


def test_what_a_template_declares(known: TemplateVariables) -> None:
    assert known.content == {
        "image_version",
        "source_image_owners",
        "encrypt_boot",
        "volume_size",
        "disks",
        "image_role",
    }
    assert known.access == {"region", "subnet_id"}
    assert known.types["source_image_owners"] == "list(string)"
    assert "region" not in known.types


def test_no_template(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no Packer template"):
        template_variables(tmp_path)


def test_content_and_access(known: TemplateVariables) -> None:
    values = {"image_version": "1.1.0", "subnet_id": "subnet-1", "disks": [{"size": 8}], "volume_size": None}
    assert split_variables(values, known, where=WHERE) == (
        {"image_version": "1.1.0", "disks": [{"size": 8}], "volume_size": None},
        {"subnet_id": "subnet-1"},
    )


def test_a_name_that_is_not_known(known: TemplateVariables) -> None:
    text = refusal(known, "image_verson", "1")
    assert "did you mean image_version?" in text
    assert "disks, encrypt_boot, image_version, source_image_owners, subnet_id, volume_size" in text


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_what_follows_another_key_is_set_there(known: TemplateVariables, name: str) -> None:
    assert f"follows {ELSEWHERE[name]}" in refusal(known, name, "db")


@pytest.mark.parametrize("name", sorted(FACTS - ELSEWHERE.keys()))
def test_what_a_bake_sets_itself(known: TemplateVariables, name: str) -> None:
    assert "each bake sets it" in refusal(known, name, "x")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image_version", 1.1, "not a string"),
        ("image_version", 10, 'put in quotes, such as "1.10"'),
        ("image_version", True, "put in quotes"),
        ("image_version", ["1.0"], "not a string"),
        ("image_version", "2026-01-31 00:00:00 +0000 UTC", "is a date to YAML"),
        ("image_version", dt.date(2026, 1, 31), "not a string"),
        ("source_image_owners", "self", "a list of texts"),
        ("source_image_owners", [309956199498], "a list of texts"),
        ("encrypt_boot", "false", "true or false, without quotes"),
        ("volume_size", "20", "a number, without quotes"),
        ("volume_size", True, "a number, without quotes"),
    ],
)
def test_a_value_of_another_type(known: TemplateVariables, name: str, value: Any, message: str) -> None:
    assert message in refusal(known, name, value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1.0{% set x = lookup('pipe', 'id') %}", "template markup"),
        ("{{ env `HOME` }}", "template markup"),
        ("{# x #}", "template markup"),
        ("1\n2", "a control character"),
        ("\x1b]0;title\x07", "a control character"),
        ("1\x00", "a control character"),
        ("1\u2028", "a control character"),
        ("\x9b31m", "a control character"),
    ],
)
@pytest.mark.parametrize("name", ["image_version", "subnet_id"])
def test_a_value_that_is_not_plain_text(
    known: TemplateVariables, name: str, value: str, message: str
) -> None:
    assert message in refusal(known, name, value)


def test_markup_inside_a_list_or_mapping(known: TemplateVariables) -> None:
    refusal(known, "source_image_owners", ["self", "{{ x }}"])
    refusal(known, "disks", [{"size{{ x }}": 1}])


def test_a_long_value_is_cut_in_the_error(known: TemplateVariables) -> None:
    assert len(refusal(known, "image_version", "{{" + "x" * 100_000)) < 1000


def test_the_real_template_declares_what_a_bake_sets() -> None:
    known = template_variables(Path("packer"))
    assert known.access >= FACTS
    assert {"image_role", "image_version", "ssh_username", "source_image_name"} <= known.content
    assert known.types.keys() == known.content | known.access, (
        "each has a type, so that a preview can check it"
    )


@pytest.mark.parametrize("interface", ["private_ip", "private_dns"])
def test_at_a_private_address_someone_must_be_let_in(interface: str) -> None:
    known = template_variables(Path("packer"))
    with pytest.raises(PipelineError) as caught:
        split_variables({"ssh_interface": interface}, known, where=WHERE)
    assert "temporary_security_group_source_cidrs" in str(caught.value)
    assert WHERE in str(caught.value)
    for given in (
        {"temporary_security_group_source_cidrs": ["10.0.0.0/16"]},
        {"security_group_ids": ["sg-0123456789abcdef0"]},
    ):
        split_variables({"ssh_interface": interface, **given}, known, where=WHERE)


def test_at_a_public_address_the_template_lets_this_machine_in() -> None:
    split_variables({"ssh_interface": "public_ip"}, template_variables(Path("packer")), where=WHERE)
