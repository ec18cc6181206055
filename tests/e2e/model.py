"""A model server in the test's own process, which answers as the test requires."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.ports import free_port


@dataclass(frozen=True)
class Answer:
    """A response; a body that is not bytes is sent as JSON."""

    body: object
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    @property
    def raw(self) -> bytes:
        """The body in bytes."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@contextmanager
def serving(answer: Callable[[bytes], Answer], host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Answer each request by its body, until the block ends; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            self.respond(answer(b""))

        def do_POST(self) -> None:
            self.respond(answer(self.rfile.read(int(self.headers.get("Content-Length") or 0))))

        def respond(self, given: Answer) -> None:
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.raw)))
            self.end_headers()
            self.wfile.write(given.raw)

    server = ThreadingHTTPServer((host, port or free_port(host)), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
