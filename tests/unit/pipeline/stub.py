"""An endpoint that answers as it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Endpoint:
    """What it answers, one call after the other, and the last for ever; and how often it was called.

    Each answer: status, content type, body; a body of None is a connection that is closed without an answer, and a
    status of 0 one that is never answered.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, str, bytes | None]] = []
        self.calls = 0
        self.over = threading.Event()
        self.url = ""

    def next(self) -> tuple[int, str, bytes | None]:
        self.calls += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    """A running one."""
    told = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, kind, body = told.next()
            if status == 0:
                told.over.wait()
            if status == 0 or body is None:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            told.over.set()
            server.shutdown()
            thread.join()
