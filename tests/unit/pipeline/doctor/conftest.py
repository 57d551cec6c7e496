"""An SSM that keeps nothing of a parameter that does not exist, and an Auto Scaling without groups, as AWS's."""

from typing import Any

import pytest
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.responses import AutoScalingResponse

from lab import moto_gaps


def not_found(_: Any) -> None:
    """What Auto Scaling answers about a group that does not exist."""
    raise ValidationError("AutoScalingGroup name not found - null")


@pytest.fixture
def aws(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS, as moto plays it and the lab corrects it."""
    moto_gaps.fill(lambda _: "")
    for name in ("describe_instance_refreshes", "describe_load_balancer_target_groups"):
        monkeypatch.setattr(AutoScalingResponse, name, not_found, raising=False)
