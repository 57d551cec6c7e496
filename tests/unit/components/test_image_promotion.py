"""What a promotion declares."""

import json
from dataclasses import replace
from typing import Any

import pytest

from components.image_promotion import ImagePromotion
from pipeline.model import pointer_description, returned_description
from pipeline.promote.standing import Standing, label
from tests.unit.components.making import IMAGE, OUTPUT, Notes, has, plain
from tests.unit.pipeline.making import standing, version


def promotion(declared: Any, stands: Standing, rejected: str | None = None) -> Notes:
    def declare() -> Any:
        promotion = ImagePromotion(
            "promotion",
            role="web",
            channel="prod",
            source="candidate",
            image_id=IMAGE,
            standing=stands,
            word="4e5f6a7b",
            region="eu-west-1",
            environment={"AWS_REGION": "eu-west-1"},
            rejected=rejected,
        )
        return promotion.image_id.apply(lambda value: has(value, IMAGE))

    notes: Notes = declared(declare)
    return notes


def plan_of(notes: Notes, step: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads(plain(notes.inputs[f"promotion-{step}"]["stdin"]))
    return plan


def test_a_promotion_is_pointer_then_tag(declared: Any) -> None:
    notes = promotion(declared, standing("ami-9"))
    pointer = notes.inputs["promotion-pointer"]
    assert pointer["name"] == "/golden-image/web/prod"
    assert pointer["dataType"] == "aws:ec2:image"
    assert pointer["insecureValue"] == IMAGE
    text = "The image that channel prod of role web holds, taken from candidate"
    assert pointer["description"] == f"{text} (4e5f6a7b)", "written, whatever the state says of it"
    assert notes.inputs["promotion-channel"] == {"resourceId": IMAGE, "key": "ImageChannel", "value": "prod"}
    asked = {"region": "eu-west-1", "role": "web", "channel": "prod", "stack": "prod", "imageId": IMAGE}
    assert plan_of(notes, "claim") == {**asked, "label": "4e5f6a7b"}
    assert plan_of(notes, "held") == {**asked, "claim": OUTPUT["claim"], "pointerVersion": 5}
    settled = {**asked, "source": "candidate", "when": "2026-01-31T12:00:00+00:00"}
    assert plan_of(notes, "settle") == settled
    assert notes.inputs["promotion-settle"]["delete"] == "leave"


def test_the_steps_of_a_channel_that_is_as_wanted_have_the_plan_that_they_had(declared: Any) -> None:
    mine = label("prod", "0a1b2c3d")
    wanted = replace(version(4, IMAGE, mine), description=pointer_description("web", "prod", "candidate"))
    for same in (wanted, replace(wanted, description=f"{wanted.description} (8c9d0e1f)")):
        notes = promotion(declared, standing(same))
        assert plan_of(notes, "claim")["label"] == "0a1b2c3d"
        assert notes.inputs["promotion-pointer"]["description"] == same.description
    for other in (
        replace(wanted, image_id="ami-9"),
        replace(wanted, description="taken from elsewhere"),
        replace(wanted, labels=()),
        replace(wanted, labels=(label("dev", "0a1b2c3d"),)),
        replace(wanted, labels=(label("prod", "acknowledged"),)),
    ):
        assert plan_of(promotion(declared, standing(other)), "claim")["label"] == "4e5f6a7b", other


def test_a_promotion_that_finishes_a_return_says_so_and_leaves_the_label_to_the_roll_out(
    declared: Any,
) -> None:
    mine = label("prod", "4e5f6a7b")
    text = returned_description("web", "prod", "candidate", failed="ami-9", to=IMAGE, word="4e5f6a7b")
    returned = replace(version(5, IMAGE), description=text)
    for stands in (standing(("ami-9", mine)), standing(("ami-9", mine), returned)):
        notes = promotion(declared, stands, "ami-9")
        assert notes.inputs["promotion-pointer"]["description"] == text
        assert plan_of(notes, "claim")["label"] == "4e5f6a7b"
        assert plan_of(notes, "held")["returns"] is True


def test_the_provider_may_return_the_earlier_image(declared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Notes, "late", "ami-9")
    notes = promotion(declared, standing("ami-9"))
    assert notes.inputs["promotion-channel"]["resourceId"] == IMAGE
    assert plan_of(notes, "settle")["imageId"] == IMAGE
