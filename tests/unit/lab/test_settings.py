"""Labs side by side, and settings that cannot be."""

import itertools
from pathlib import Path

import pytest

from lab import settings
from lab.errors import LabError


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOLDEN_IMAGE_LAB", "GOLDEN_IMAGE_LAB_DIR", "GOLDEN_IMAGE_LAB_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_defaults() -> None:
    lab = settings.load()
    assert (lab.name, lab.bridge, str(lab.subnet)) == ("main", "gilab0", "172.31.0.0/20")
    assert lab.state_dir == Path("/var/lib/golden-image-lab/main")
    assert str(lab.gateway) == "172.31.0.1"


def test_labs_share_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    labs = []
    for name in settings.NAMES:
        monkeypatch.setenv("GOLDEN_IMAGE_LAB", name)
        labs.append(settings.load())
    for one, other in itertools.combinations(labs, 2):
        assert not one.subnet.overlaps(other.subnet)
        assert one.port != other.port
        assert one.bridge != other.bridge
        assert one.nft_table != other.nft_table
        assert one.state_dir != other.state_dir


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("GOLDEN_IMAGE_LAB", "prod", "no lab called 'prod'"),
        ("GOLDEN_IMAGE_LAB_PORT", "http", "'http' is not a TCP port"),
        ("GOLDEN_IMAGE_LAB_PORT", "70000", "'70000' is not a TCP port"),
    ],
)
def test_refused(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(LabError, match=message):
        settings.load()
