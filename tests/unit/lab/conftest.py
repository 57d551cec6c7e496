"""A lab whose machines are of paper."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

from moto.core.base_backend import BackendDict
from werkzeug.serving import make_server

from lab import account, base_image, dataplane, settings
from lab.controlplane import ControlPlane
from lab.layers import LayerStore
from tests.unit.lab.paper import PaperMachine


@pytest.fixture
def ec2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client of a lab whose machines are of paper."""
    monkeypatch.setenv("GOLDEN_IMAGE_LAB_DIR", str(tmp_path))
    monkeypatch.setenv("MOTO_ENABLE_AMI_VALIDATION", "true")
    monkeypatch.setattr(dataplane, "Machine", PaperMachine)
    monkeypatch.setattr(base_image, "host_release", lambda: ("debian", "bookworm"))
    monkeypatch.setattr(base_image, "_sources", list)
    PaperMachine.all.clear()
    BackendDict.reset()
    lab = settings.load()
    (tmp_path / "base").mkdir()
    store = LayerStore.open(lab.layers_dir, tmp_path / "base")
    account.prepare(lab, store)
    control = ControlPlane(lab, store, save=lambda: account.save(tmp_path / "state"))
    server = make_server("127.0.0.1", 0, control, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    client = boto3.client(
        "ec2",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        region_name=settings.REGION,
        aws_access_key_id="lab",
        aws_secret_access_key="lab",
    )
    yield client
    client.close()
    server.shutdown()
    thread.join()
    control.finish()
    server.server_close()
    BackendDict.reset()
