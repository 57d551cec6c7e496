"""An SSM that keeps nothing of a parameter that does not exist, as AWS's."""

import pytest

from lab import moto_gaps


@pytest.fixture
def aws(aws: None) -> None:
    """AWS, as moto plays it and the lab corrects it."""
    moto_gaps.fill(lambda _: "")
