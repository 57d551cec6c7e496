"""Machines are asked directly, and so is who this machine is: SSH goes through no proxy either."""

import ast
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.errors import PipelineError
from pipeline.machines import public_ip
from tools.checks import PROJECT

CHECKS = sorted((PROJECT / "packer").glob("**/checks/*.py"))


class Answer(BaseHTTPRequestHandler):
    text = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answer]]:
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(public_ip, "ADDRESS_SERVICE", f"http://127.0.0.1:{server.server_port}/")
        yield Answer
        server.shutdown()


def test_the_own_address_is_not_a_proxys(service: type[Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    service.text = b"192.0.2.7\n"
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    assert public_ip.caller_cidr() == "192.0.2.7/32"


@pytest.mark.parametrize("text", [b"2001:db8::1\n", b"<html>Please log in</html>", b""])
def test_what_is_no_address(service: type[Answer], text: bytes) -> None:
    service.text = text
    with pytest.raises(PipelineError, match="could not find out from which address") as caught:
        public_ip.caller_cidr()
    assert "golden-image:validation.allowedCidr" in str(caught.value)


def test_no_check_asks_a_machine_through_a_proxy() -> None:
    asked = [
        (path.name, call.lineno, {word.arg: ast.unparse(word.value) for word in call.keywords})
        for path in CHECKS
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and re.fullmatch(r"httpx\.\w+", ast.unparse(call.func))
    ]
    assert asked
    assert [one for one in asked if one[2].get("trust_env") != "False"] == []
