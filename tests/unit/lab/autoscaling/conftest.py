"""A paper lab for groups."""

from typing import Any

import pytest

from tests.unit.lab.scaling import Account, account_of


@pytest.fixture
def account(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    return account_of(ec2, monkeypatch)


@pytest.fixture
def pair(account: Account) -> Account:
    """A group of two of version 1; version 2 is there."""
    account.version()
    account.create(2)
    return account
