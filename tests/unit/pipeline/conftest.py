"""A Packer of the tests' own, and an EC2 of moto's."""

import functools
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.client
import botocore.session
import pytest
from moto import mock_aws


@pytest.fixture(scope="session", autouse=True)
def _one_loader() -> Iterator[None]:
    """Read the model of each AWS service once, and not once a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        yield


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS, as moto plays it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    with mock_aws():
        yield


@pytest.fixture
def fake_packer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a `packer` on PATH whose `build` is the given Python; returns the folder it can write to."""

    def make(build: str) -> Path:
        folder = tmp_path / "fake-packer"
        folder.mkdir(exist_ok=True)
        script = folder / "packer"
        script.write_text(
            f"#!{sys.executable}\n"
            "import json, os, pathlib, signal, sys, time\n"
            f"here = pathlib.Path({str(folder)!r})\n"
            "with (here / 'calls').open('a') as calls: calls.write(' '.join(sys.argv[1:]) + '\\n')\n"
            "if sys.argv[1] == 'version': print('Packer v1.16.0')\n"
            "if sys.argv[1] != 'build': sys.exit(0)\n"
            "variables = json.loads(pathlib.Path(sys.argv[3].split('=', 1)[1]).read_text())\n"
            + textwrap.dedent(build)
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        return folder

    return make


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the AWS calls that are made."""
    made: list[str] = []
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def noting(self: Any, operation: str, arguments: Any) -> Any:
        made.append(operation)
        return original(self, operation, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", noting)
    return made
