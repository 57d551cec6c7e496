"""A host on which the lab cannot start is told why."""

import os
import shutil
import socket
import sys
from dataclasses import replace

import pytest

from lab import host, settings
from lab.errors import LabError


@pytest.fixture
def _root_with_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")


def test_no_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root; this is user id 1000"):
        host.check(settings.load())


def test_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match="needs Linux; this is darwin"):
        host.check(settings.load())


@pytest.mark.usefixtures("_root_with_tools")
def test_a_missing_tool_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nft" else "/bin/x")
    with pytest.raises(LabError, match=r"(?s)needs nft.*apt-get install nftables"):
        host.check(settings.load())


@pytest.mark.usefixtures("_root_with_tools")
def test_a_taken_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"(?s)port {port} .* is taken.*GOLDEN_IMAGE_LAB_PORT"):
            host.check(replace(settings.load(), port=port))
