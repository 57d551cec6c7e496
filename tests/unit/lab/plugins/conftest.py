"""A paper lab for the stand-ins."""

from collections.abc import Iterator
from typing import Any

import pytest

from lab import environment, settings
from lab.plugins.aws import base, capacity
from tests.unit.lab.scaling import Account, account_of


@pytest.fixture
def account(ec2: Any, monkeypatch: pytest.MonkeyPatch) -> Account:
    return account_of(ec2, monkeypatch)


@pytest.fixture
def serving(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """Stand-ins of this process call it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.ec2.meta.endpoint_url)
    monkeypatch.setenv("AWS_REGION", settings.REGION)
    for name, value in environment.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(base, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(capacity, "POLL_SECONDS", 0.05)
    base.client.cache_clear()
    yield account
    base.client.cache_clear()
