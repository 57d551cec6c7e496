"""What the checks of an image share.

A check is a test function: pytest runs it once for each machine, with testinfra's `host` as its way in. By
hand, against any machine:

    export GOLDEN_IMAGE_ROLE=web
    pytest packer/checks packer/roles/$GOLDEN_IMAGE_ROLE/checks --hosts=ssh://USER@ADDRESS --ssh-identity-file=KEY

Add a file `test_*.py`, or a function to one: in packer/checks/ for every image, in packer/roles/ROLE/checks/ for one
role.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host


@pytest.fixture
def role() -> str:
    """The role that the image was baked for."""
    return os.environ["GOLDEN_IMAGE_ROLE"]


@pytest.fixture
def address(host: Host) -> str:
    """The machine's address, for what is checked from outside."""
    name: str = host.backend.get_pytest_id().removeprefix("ssh://")
    return name.rpartition("@")[2].split(":")[0]
