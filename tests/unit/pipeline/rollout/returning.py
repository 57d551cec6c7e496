"""A channel whose roll-out has failed, with its return at some point of its way."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.model import Image, returned_description
from pipeline.promote import held, pointer
from pipeline.rollout import roll_out, unfinished
from tests.unit.pipeline.rollout.world import WORD, World

if TYPE_CHECKING:
    import pytest

    from pipeline.rollout.unfinished import Return


def failed(monkeypatch: pytest.MonkeyPatch) -> World:
    """Channel prod whose roll-out has failed: AWS has rolled the machines back."""
    world = World(monkeypatch)
    monkeypatch.setattr(roll_out, "Account", lambda **_: world.account)
    monkeypatch.setattr(held, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(pointer, "LAG_SECONDS", 0)
    scaling = world.scaling
    scaling.start("web-prod", scaling.version(2), {})
    scaling.end("RollbackSuccessful")
    return world


def reject(world: World, channel: str = "prod") -> None:
    world.account.images.tag(world.new, "Rejected", f"{channel} 2026-01-31T12:00:00Z boom")


def back(world: World) -> None:
    """The pointer goes back, without a label yet."""
    text = returned_description("web", "prod", "candidate", failed=world.new, to=world.old, word=WORD)
    world.account.channels.write("web", "prod", world.old, text)


def asked(world: World) -> Image:
    image = world.account.images.find(world.new)
    assert image is not None
    return image


def found(world: World, **changes: Any) -> Return | None:
    return unfinished.find(world.account, replace(world.standing(), **changes), asked(world))
