"""A folder for checks, and an ssh that leads to this machine."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    # The last argument is the command; ssh hands it to the user's shell.
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "packer/checks"
    folder.mkdir(parents=True)
    return folder
