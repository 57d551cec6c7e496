"""What a preview says of a stack that bakes."""

from components import baking
from pipeline.settings import load

DEV = {
    "golden-image:role": "web",
    "aws:region": "eu-west-1",
    "golden-image:channel": "candidate",
    "golden-image:from": "bake",
}


def test_one_machine_leaves_identity_unproven() -> None:
    alone = DEV | {"golden-image:validation": '{"clones": 1}'}
    [line] = baking.notices(load.parse(alone, stack="dev"))
    assert line.startswith("golden-image:validation.clones is 1 in Pulumi.dev.yaml")
    assert "does not prove" in line
    assert baking.notices(load.parse(DEV, stack="dev")) == []
