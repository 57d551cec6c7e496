"""The contract of the components names each breach: in a sample that keeps it, one line is changed."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.unit.components.test_contract import breaches, found

HEAD = """
import pulumi
import pulumi_aws as aws

class Sample(pulumi.ComponentResource):
    arn: pulumi.Output[str]

    def __init__(self, name: str, *, role: str, opts: pulumi.ResourceOptions | None = None) -> None:
"""

GOOD = """
        super().__init__("golden-image:index:Sample", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(f"{name}-group", vpc_id="vpc-1", tags={"Role": role}, opts=child)
        self.arn = group.arn
        self.register_outputs({})
"""


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Makes a package with one component of the given body, and finds the component."""

    def make(body: str) -> type[pulumi.ComponentResource]:
        folder = tmp_path / "sample_components"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "sample.py").write_text(HEAD + body)
        monkeypatch.syspath_prepend(tmp_path)
        (kind,) = found(importlib.import_module("sample_components"))
        return kind

    yield make
    for name in ("sample_components.sample", "sample_components"):
        sys.modules.pop(name, None)


def test_a_new_component_is_found(sample: Any) -> None:
    assert breaches(sample(GOOD)) == []


@pytest.mark.parametrize(
    ("good", "bad", "breach"),
    [
        ("index:Sample", "index:Other", "its type is golden-image:index:Other"),
        ("None, opts)", "None)", "it does not hand on its options"),
        ("self.register_outputs({})", "", "it does not register outputs"),
        ("self.arn = group.arn", "", "its output arn is never set"),
        (", opts=child", "", "thing-group has another parent"),
        ('f"{name}-group"', '"group"', "group is not named after it: there could not be two"),
        ('tags={"Role": role}', "tags={}", "thing-group lacks Role in tags"),
        ('"Role": role', '"Role": "db"', "thing-group lacks Role in tags"),
    ],
)
def test_a_breach_is_named(sample: Any, good: str, bad: str, breach: str) -> None:
    assert good in GOOD
    assert breaches(sample(GOOD.replace(good, bad))) == [breach]


@pytest.mark.parametrize(
    ("declaration", "breach"),
    [
        (
            'aws.ec2.Instance(f"{name}-1", tags={"Role": role}, volume_tags={"Role": "db"}, opts=child)',
            "thing-1 lacks Role in volumeTags",
        ),
        (
            'aws.ec2.LaunchTemplate(f"{name}-1", tags={"Role": role}, opts=child, tag_specifications=[{"tags": {}}])',
            "thing-1 lacks Role in tagSpecifications[0]",
        ),
        (
            'aws.autoscaling.Group(f"{name}-1", max_size=1, min_size=1, opts=child)',
            "thing-1 lacks Role in tags",
        ),
    ],
)
def test_a_breach_of_what_launches_is_named(sample: Any, declaration: str, breach: str) -> None:
    body = GOOD.replace("        self.register", f"        {declaration}\n        self.register")
    assert breaches(sample(body)) == [breach]


def test_tags_of_a_group_are_a_list(sample: Any) -> None:
    declaration = (
        'aws.autoscaling.Group(f"{name}-1", max_size=1, min_size=1, opts=child,'
        ' tags=[{"key": "Role", "value": role, "propagate_at_launch": True}])'
    )
    body = GOOD.replace("        self.register", f"        {declaration}\n        self.register")
    assert breaches(sample(body)) == []


def test_a_lookup_is_refused(sample: Any) -> None:
    body = GOOD.replace("        child =", "        aws.get_availability_zones()\n        child =")
    with pytest.raises(Exception, match="a component decides nothing and asks nothing: aws:index/getAvai"):
        breaches(sample(body))
