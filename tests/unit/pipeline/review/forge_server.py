"""GitLab and GitHub as far as a note needs them: a server that answers as their documentation says."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-test"


@dataclass
class Forge:
    """What the server holds, and how it answers.

    Attributes:
        kind: ``gitlab`` or ``github``.
        notes: The notes of the one merge request that there is, oldest first.
        faults: HTTP statuses (and headers) that the next requests are answered with.
        after_write: Whether a fault strikes only after the request was carried out.
        requests: Method and path of each request.
    """

    kind: str
    url: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    after_write: bool = False
    requests: list[str] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Where the notes are."""
        if self.kind == "gitlab":
            return "/api/v4/projects/42/merge_requests/7/notes"
        return "/repos/team/images/issues/7/comments"

    @property
    def one(self) -> str:
        """What the path of one note begins with."""
        return self.path if self.kind == "gitlab" else "/repos/team/images/issues/comments"

    def fill(self, count: int, **more: Any) -> None:
        """Notes of other people."""
        for _ in range(count):
            self.add("looks good", **more)

    def add(self, body: str, **more: Any) -> dict[str, Any]:
        """A note."""
        note = {"id": 1000 + len(self.notes), "body": body, **more}
        if self.kind == "github":
            note["html_url"] = f"https://github.test/team/images/pull/7#issuecomment-{note['id']}"
        self.notes.append(note)
        return note


class Server(ThreadingHTTPServer):
    """A server that knows what it holds."""

    forge: Forge


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Server

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_one(self) -> None:
        forge, parts = self.server.forge, urlsplit(self.path)
        forge.requests.append(f"{self.command} {parts.path}")
        given = self.headers.get("PRIVATE-TOKEN" if forge.kind == "gitlab" else "Authorization", "")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        write = self.command != "GET"
        if given.removeprefix("Bearer ") != TOKEN:
            self.answer(401, {"message": "401 Unauthorized"})
        elif forge.faults and (write or not forge.after_write):
            status, headers = forge.faults.pop(0)
            if forge.after_write:
                self.carry_out(parts.path, json.loads(body))
            self.answer(status, {"message": "fault"}, headers)
        elif write:
            self.answer(*self.carry_out(parts.path, json.loads(body)))
        elif parts.path == forge.path:
            self.page(parse_qs(parts.query))
        else:
            self.answer(404, {"message": "404 Not found"})

    do_GET = do_POST = do_PUT = do_PATCH = handle_one  # http.server's names

    def carry_out(self, path: str, sent: dict[str, Any]) -> tuple[int, Any]:
        forge = self.server.forge
        update = "PUT" if forge.kind == "gitlab" else "PATCH"
        if self.command == "POST" and path == forge.path:
            return 201, forge.add(sent["body"])
        if self.command == update and path.startswith(f"{forge.one}/"):
            note = next(n for n in forge.notes if str(n["id"]) == path.rpartition("/")[2])
            note["body"] = sent["body"]
            return 200, note
        return 404, {"message": "404 Not found"}

    def page(self, query: dict[str, list[str]]) -> None:
        forge = self.server.forge
        size, number = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        found = forge.notes[(number - 1) * size : number * size]
        following = f"{forge.url}{forge.path}?per_page={size}&page={number + 1}"
        more = number * size < len(forge.notes)
        self.answer(200, found, {"Link": f'<{following}>; rel="next"'} if more else {})

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serving(kind: str) -> Iterator[Forge]:
    """A server on this machine, for the time being."""
    forge = Forge(kind)
    server = Server(("127.0.0.1", 0), Handler)
    server.forge = forge
    forge.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield forge
    server.shutdown()
    thread.join()
    server.server_close()
