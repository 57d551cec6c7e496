"""The client that asks machines all the time: what it counts as an answer, and what as a failed one."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lab import environment, settings
from lab.traffic import Count, traffic

ENOUGH = 20


@dataclass
class Account:
    """The machines of a target group, as the API answers them."""

    states: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    leaves: str = ""
    """A machine that the target group lets go of as soon as it has been found."""

    def describe_target_health(self, **_: Any) -> dict[str, Any]:
        found = [
            {"Target": {"Id": one}, "TargetHealth": {"State": state}} for one, state in self.states.items()
        ]
        self.states.pop(self.leaves, None)
        return {"TargetHealthDescriptions": found}

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        (one,) = asked["InstanceIds"]
        return {"Reservations": [{"Instances": [{"PrivateIpAddress": self.addresses[one]}]}]}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """With the machines ``well`` and ``ill``, which answer 200 and 500, and ``gone``, which does not."""
    found = Account()
    monkeypatch.setattr(environment, "client", lambda *_: found)
    with _machine(200) as well, _machine(500) as ill, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        found.addresses = {"well": _address(well), "ill": _address(ill)}
        found.addresses["gone"] = f"127.0.0.1:{closed.getsockname()[1]}"
        threads = [threading.Thread(target=one.serve_forever, args=(0.01,)) for one in (well, ill)]
        for thread in threads:
            thread.start()
        yield found
        for server in (well, ill):
            server.shutdown()
        for thread in threads:
            thread.join()


def _machine(status: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def _address(server: ThreadingHTTPServer) -> str:
    return f"127.0.0.1:{server.server_address[1]}"


def _seen(account: Account, **states: str) -> Count:
    account.states = states
    with traffic(settings.load(), "arn", rate=200) as count:
        deadline = time.monotonic() + 30
        while count.asked < ENOUGH:
            assert time.monotonic() < deadline, count
            time.sleep(0.01)
    return count


def test_good_answers_are_counted(account: Account) -> None:
    count = _seen(account, well="healthy")
    assert str(count) == f"{count.answers} answers, 0 failed"


def test_a_machine_that_is_not_healthy_is_not_asked(account: Account) -> None:
    assert not _seen(account, well="healthy", ill="unhealthy", gone="initial").failed


@pytest.mark.parametrize(("machine", "why"), [("ill", "ill: status 500"), ("gone", "gone: ConnectError")])
def test_a_healthy_machine_that_fails_is_counted(account: Account, machine: str, why: str) -> None:
    count = _seen(account, **{"well": "healthy", machine: "healthy"})
    assert count.answers > 0
    assert all(why in one for one in count.failed)
    assert abs(count.answers - len(count.failed)) <= count.asked / 2, "they are asked one after the other"


def test_no_healthy_machine_is_a_failed_answer(account: Account) -> None:
    count = _seen(account, well="unhealthy")
    assert count.answers == 0
    assert all("no healthy machine" in one for one in count.failed)


def test_a_machine_that_the_load_balancer_let_go_of_meanwhile_is_none(account: Account) -> None:
    account.leaves = "gone"
    count = _seen(account, gone="healthy", well="healthy")
    assert not count.failed
    assert str(count).endswith(f", 0 failed, {count.again} asked twice")
