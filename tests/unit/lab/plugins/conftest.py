"""A paper lab for the stand-ins."""

from typing import Any

import pytest

from tests.unit.lab.scaling import Account, account_of


@pytest.fixture
def account(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    return account_of(ec2, monkeypatch)
