"""Plans on their way from a component to a step."""

import json
from dataclasses import fields
from typing import Any

import pytest

from pipeline import plans
from pipeline.errors import PipelineError

PROMOTION: dict[str, Any] = {"region": "eu-west-1", "role": "web", "channel": "prod", "image_id": "ami-1"}
GIVEN: dict[type[plans.Plan], dict[str, Any]] = {
    plans.Bake: {
        "bake_key": "k", "region": "eu-west-1", "variables": {"a": 1}, "access": {}, "timeout_minutes": 60,
        "files": {"clean.sh": "d1"}, "serial": 2, "source_image": "ami-0",
    },
    plans.Keygen: {"image_id": "ami-1"},
    plans.Validate: {
        "region": "eu-west-1", "role": "web", "user": "u", "address": "public", "suite": "s", "timeout_seconds": 60,
        "health_wait_seconds": 300, "soak_seconds": 0, "reboot": False, "image_id": "ami-1", "instance_ids": ["i-1"],
        "private_key": "very private", "allowed_skips": {"a": "b"}, "health_port": 80,
    },
    plans.Claim: {**PROMOTION, "stack": "prod", "label": "0a1b2c3d"},
    plans.Held: {**PROMOTION, "stack": "prod", "claim": {"version": 4}, "pointer_version": 5, "returns": True},
    plans.Settle: {**PROMOTION, "stack": "prod", "source": "candidate", "when": "2026-01-31T12:00:00+00:00"},
    plans.Leave: PROMOTION,
}  # fmt: skip

OPTIONAL = {
    plans.Bake: {"files", "serial", "sourceImage"},
    plans.Validate: {"smokeTest", "allowedSkips", "healthPort"},
    plans.Held: {"stack", "pointerVersion", "returns"},
    plans.Claim: {"stack"},
    plans.Settle: {"stack", "source"},
    plans.Leave: {"stack"},
}


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.step)
def test_a_step_reads_what_a_component_writes(kind: type[plans.Plan]) -> None:
    plan = kind(**GIVEN[kind])
    read = json.loads(plan.to_json())
    assert kind.from_json({**read, "of an earlier version": 1}) == plan
    assert list(read) == sorted(read)


@pytest.mark.parametrize("kind", GIVEN, ids=lambda kind: kind.step)
def test_a_key_that_is_missing_or_of_another_type(kind: type[plans.Plan]) -> None:
    read = json.loads(kind(**GIVEN[kind]).to_json())
    refused = set()
    for key in read:
        with pytest.raises(PipelineError, match=f"lacks '{key}'") as caught:
            kind.from_json({**read, key: {1, 2}})
        assert f"bin/step {kind.step}" in str(caught.value)
        try:
            kind.from_json({name: value for name, value in read.items() if name != key})
        except PipelineError:
            refused.add(key)
    assert refused == read.keys() - OPTIONAL.get(kind, set())


def test_no_error_and_no_traceback_has_the_private_key() -> None:
    plan = plans.Validate(**GIVEN[plans.Validate])
    assert "very private" not in repr(plan)
    with pytest.raises(PipelineError) as caught:
        plans.Validate.from_json({**json.loads(plan.to_json()), "privateKey": ["very private"]})
    assert "very private" not in str(caught.value)


def test_no_reasons_for_skips_no_key() -> None:
    plan = plans.Validate(**{**GIVEN[plans.Validate], "allowed_skips": {}})
    assert "allowedSkips" not in json.loads(plan.to_json())
    assert len(json.loads(plan.to_json())) == len(fields(plan)) - 1
