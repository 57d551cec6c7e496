"""Secrets in the forms and places that images have them in: the scan of a machine finds them."""

from pathlib import Path

import pytest

from tests import secret_forms
from tests.unit.pipeline.scanning.test_imagescan import found

LEAST = 60


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_found_wherever_they_are(tmp_path: Path, seed: int) -> None:
    made = secret_forms.lay(tmp_path, seed)
    assert len({secret.form for secret in made}) == len(made) >= LEAST
    seen = {one.partition(" ")[2] for one in found(tmp_path)}
    missed = {secret.form for secret in made if not any(one.startswith(f"/{secret.path}") for one in seen)}
    assert missed == secret_forms.OUT_OF_REACH
