"""Which manners a lab has: by name, kept over a restart."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from lab import settings
from lab.__main__ import _choice
from lab.errors import LabError
from lab.manners import NAMES, Choice, kept
from lab.manners.registry import ALL, Manners


def test_the_names_are_those_of_the_classes_and_each_has_a_source() -> None:
    assert tuple(one.name for one in ALL) == NAMES
    assert all("(" in (one.__doc__ or "") for one in ALL)


def test_a_choice_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "manners.json"
    assert kept(path) == Choice()
    choice = Choice.of({"names": list(NAMES[:1]), "seed": 7})
    choice.keep(path)
    assert kept(path) == choice


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match=r"does not know the manner politeness\n.*late-image-parameters"):
        Choice.of(["politeness"])


def test_the_pace_of_aws_has_phases_in_any_case() -> None:
    assert Choice.of({"names": [], "pace": "aws"}).names == ("pending",)
    with pytest.raises(LabError, match=r"does not know the pace 'slow'\n.*lab, aws"):
        Choice.of({"names": [], "pace": "slow"})


def test_they_change_while_the_lab_is_up(ec2: Any, manners: Callable[..., None], tmp_path: Path) -> None:
    url = f"{ec2.meta.endpoint_url}/lab-api/manners"
    assert httpx.get(url).json()["names"] == []
    httpx.put(url, json=list(NAMES)).raise_for_status()
    assert httpx.get(url).json()["names"] == list(NAMES)
    assert httpx.put(url, json=["politeness"]).status_code == 400
    manners(seed=3)
    assert httpx.get(url).json() == {"names": [], "seed": 3, "pace": "lab"}


def test_a_lab_that_starts_again_has_the_manners_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "manners.json"
    Choice.of(["throttling"]).keep(path)
    plane: Any = SimpleNamespace(lock=threading.RLock())
    found = Manners(plane, path)
    assert found.choice.names == ("throttling",)
    found.set(Choice())
    assert Manners(plane, path).choice.names == ()


@pytest.mark.parametrize(
    ("names", "pace", "found"),
    [
        ("", None, Choice(names=NAMES)),
        ("none", None, Choice()),
        ("stale-reads,pending", None, Choice(names=("stale-reads", "pending"))),
        (None, "aws", Choice(names=("throttling", "pending"), pace="aws")),
        (None, None, Choice(names=("throttling",))),
    ],
)
def test_options_of_up_change_what_they_name(
    names: str | None, pace: str | None, found: Choice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDEN_IMAGE_LAB_DIR", str(tmp_path))
    lab = settings.load()
    lab.state_dir.mkdir()
    Choice.of(["throttling"]).keep(lab.manners_file)
    assert _choice(lab, names, pace) == found
