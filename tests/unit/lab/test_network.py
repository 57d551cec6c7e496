"""The lab takes no bridge and no range that belongs to somebody else."""

import subprocess
from typing import Any

import pytest

from lab import network, settings
from lab.errors import LabError


@pytest.fixture
def routes(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The host's routes, as `ip -json` says them."""
    rows: list[dict[str, Any]] = [{"dst": "default", "dev": "eth0"}]
    monkeypatch.setattr(network, "_ip", lambda *argv: rows)
    monkeypatch.setattr(network, "bridge_exists", lambda lab: False)
    return rows


def test_a_host_with_other_ranges(routes: list[dict[str, Any]]) -> None:
    routes.append({"dst": "192.0.2.0/24", "dev": "eth0"})
    network.check(settings.load())


def test_an_overlapping_route(routes: list[dict[str, Any]]) -> None:
    routes.append({"dst": "172.31.0.0/16", "dev": "ens5"})
    with pytest.raises(LabError, match=r"overlaps this host's route to 172\.31\.0\.0/16 \(ens5\)"):
        network.check(settings.load())


def test_somebody_elses_bridge(routes: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "bridge_exists", lambda lab: True)
    monkeypatch.setattr(network, "_is_ours", lambda lab: False)
    with pytest.raises(LabError, match="already a network link 'gilab0'"):
        network.check(settings.load())


def test_a_command_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess(["ip"], 2, "", "Operation not permitted\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(LabError, match="ip -json link failed: Operation not permitted"):
        network._ip("link")
