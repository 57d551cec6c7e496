"""What the launch template declares."""

from typing import Any

from components.fleet import Fleet
from tests.unit.components.making import IMAGE, has


def test_the_launch_template_holds_a_literal_id(declared: Any) -> None:
    def declare() -> Any:
        fleet = Fleet(
            "fleet",
            role="web",
            channel="prod",
            image_id=IMAGE,
            instance_type="t3.medium",
            instance_profile="web",
        )
        return fleet.latest_version.apply(lambda value: has(value, 7))

    notes = declared(declare)
    template = notes.inputs["fleet-template"]
    assert template["imageId"] == IMAGE
    assert template["namePrefix"] == "web-"
    assert template["tags"] == {"Role": "web", "ImageChannel": "prod"}, "the IAM policies go by it"
    assert template["updateDefaultVersion"] is True
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["iamInstanceProfile"] == {"name": "web"}
    assert "vpcSecurityGroupIds" not in template
