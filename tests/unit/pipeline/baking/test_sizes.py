"""Instance types of the image's architecture."""

import json

import pytest

from components import baking
from pipeline.aws.account import Account
from pipeline.baking import sizes
from pipeline.errors import PipelineError
from pipeline.settings import load

BUILDER, FLEET = "golden-image:bake.variables.instance_type", "golden-image:fleet.instanceType"


def check(architecture: str, builder: str, fleet: str) -> None:
    wanted = {BUILDER: builder, FLEET: fleet}
    account = Account(region="eu-west-1")
    sizes.check(account, wanted, architecture=architecture, stack_file="Pulumi.dev.yaml")


@pytest.mark.usefixtures("aws")
class TestCheck:
    @pytest.mark.parametrize(
        ("architecture", "builder", "fleet"),
        [("x86_64", "t3.medium", "t3.medium"), ("arm64", "t4g.medium", "c7g.large")],
    )
    def test_fits(self, architecture: str, builder: str, fleet: str) -> None:
        check(architecture, builder, fleet)

    @pytest.mark.parametrize(
        ("architecture", "builder", "fleet", "key", "seen"),
        [
            ("arm64", "t3.medium", "t4g.medium", BUILDER, "t3.medium (x86_64), and architecture arm64"),
            ("x86_64", "t3.medium", "t4g.medium", FLEET, "t4g.medium (arm64), and architecture x86_64"),
        ],
    )
    def test_refused(self, architecture: str, builder: str, fleet: str, key: str, seen: str) -> None:
        with pytest.raises(PipelineError) as caught:
            check(architecture, builder, fleet)
        text = str(caught.value)
        assert f"{key} does not fit golden-image:architecture" in text
        assert seen in text
        assert "Pulumi.dev.yaml" in text

    def test_a_type_that_does_not_exist(self) -> None:
        with pytest.raises(PipelineError, match=r"t3\.mircro"):
            check("x86_64", "t3.mircro", "t3.medium")

    @pytest.mark.parametrize(
        ("section", "values"),
        [
            ("validation", {"instanceType": "t3.micro"}),
            ("fleet", {"instanceType": "t3.medium"}),
            ("bake", {"variables": {"instance_type": "t3.medium"}}),
        ],
    )
    def test_a_stack_that_bakes_is_refused_before_anything_is_declared(
        self, section: str, values: dict[str, object]
    ) -> None:
        config = {
            "golden-image:role": "web",
            "golden-image:channel": "candidate",
            "golden-image:from": "bake",
            "aws:region": "eu-west-1",
        }
        config |= {"golden-image:architecture": "arm64", f"golden-image:{section}": json.dumps(values)}
        stack = load.parse(config, stack="dev")
        with pytest.raises(PipelineError, match=rf"golden-image:{section}.*does not fit"):
            baking.declare(stack, Account(region="eu-west-1"))
