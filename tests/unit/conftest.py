"""What all unit tests need: nothing of the shell that started them."""

import pytest


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOLDEN_IMAGE_LAB", "GOLDEN_IMAGE_LAB_DIR", "GOLDEN_IMAGE_LAB_PORT"):
        monkeypatch.delenv(name, raising=False)
