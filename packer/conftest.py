"""What the checks of an image share.

A check is a test function: pytest runs it once for each machine, with testinfra's `host` as its way in. By
hand, against any machine:

    pytest packer/checks packer/roles/web/checks --hosts=ssh://USER@ADDRESS --ssh-identity-file=KEY

Add a file `test_*.py`, or a function to one: in packer/checks/ for every image, in packer/roles/ROLE/checks/ for one
role. A check for one role only is marked `@pytest.mark.role("web")`; the role comes from GOLDEN_IMAGE_ROLE (default:
web).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, so that the checks run from any folder."""
    config.addinivalue_line("markers", "role(name): a check for images of this role only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the checks of other roles."""
    role = os.environ.get("GOLDEN_IMAGE_ROLE", "web")
    other = [item for item in items if any(mark.args != (role,) for mark in item.iter_markers("role"))]
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in other]


@pytest.fixture
def role() -> str:
    """The role that the image was baked for."""
    return os.environ.get("GOLDEN_IMAGE_ROLE", "web")


@pytest.fixture
def address(host: Host) -> str:
    """The machine's address, for what is checked from outside."""
    name: str = host.backend.get_pytest_id().removeprefix("ssh://")
    return name.rpartition("@")[2].split(":")[0]
