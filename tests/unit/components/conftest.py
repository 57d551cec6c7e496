"""An engine that only takes notes."""

from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest
from pulumi.runtime import settings as runtime_settings

from tests.unit.components.making import Notes


@pytest.fixture
def declared() -> Iterator[Callable[[Callable[[], Any]], Notes]]:
    def run(declare: Callable[[], Any]) -> Notes:
        notes = Notes()
        pulumi.runtime.set_mocks(notes)
        pulumi.runtime.test(declare)()  # type: ignore[no-untyped-call]
        return notes

    yield run
    runtime_settings.reset_options()
