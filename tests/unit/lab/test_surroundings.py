"""The alarm that watches the health of a target group."""

import time

import pytest

from lab import settings, surroundings

WITHIN_SECONDS = 30


def test_the_alarm_fires_while_a_machine_stays_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"i-1": "healthy", "i-2": "unhealthy"}
    alarms: list[str] = []

    def reaches(*wanted: str) -> bool:
        deadline = time.monotonic() + WITHIN_SECONDS
        while alarms != list(wanted) and time.monotonic() < deadline:
            time.sleep(0.01)
        return alarms == list(wanted)

    monkeypatch.setattr(surroundings, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(surroundings, "UNWELL_SECONDS", 0.3)
    monkeypatch.setattr(surroundings, "healths", lambda *_: sorted(states.values()))
    monkeypatch.setattr(surroundings, "alarm", lambda _lab, _name, state: alarms.append(state))
    with surroundings.watched(settings.load(), "arn", "unwell"):
        begun = time.monotonic()
        assert reaches("OK", "ALARM")
        assert time.monotonic() - begun >= surroundings.UNWELL_SECONDS
        states["i-2"] = "healthy"
        assert reaches("OK", "ALARM", "OK")
