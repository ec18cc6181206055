"""A webhook receiver on a loopback port, with a scripted answer for each request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pilotfish.sidecar.control.webhook.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from tests.support.waiting import patient

SECRET = b"a-secret-of-tests"


@dataclass
class Arrival:
    """One request that was received completely; `answer` is the scripted answer."""

    id: str
    key: str
    signed: bool
    headers: dict[str, str]
    body: bytes
    answer: str


@dataclass
class Receiver:
    """Answers by `script`: a status, `retry-after`, `redirect`, `flood`, `die` (close without an answer) or `hang`.

    `raw:...` is the response itself, with `|` for a line end; the connection is closed after it.

    The last entry repeats. `arrivals` lists all requests.
    """

    url: str = ""
    script: list[str] = field(default_factory=lambda: ["200"])
    arrivals: list[Arrival] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> set[str]:
        """The ids of the events that arrived."""
        return {arrival.id for arrival in self.arrivals}

    def take(self, headers: dict[str, str], body: bytes) -> str:
        """Record a request and return the scripted answer."""
        answer = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        signature, timestamp = headers.get(SIGNATURE_HEADER, ""), headers.get(TIMESTAMP_HEADER, "")
        signed = verify(SECRET, timestamp, body, signature, now=time.time())
        key = headers.get("Idempotency-Key", "")
        self.arrivals.append(Arrival(json.loads(body).get("id", key), key, signed, headers, body, answer))
        return answer


@contextmanager
def receiving(script: Sequence[str] = ("200",)) -> Iterator[Receiver]:
    """Serve on a free port until the block ends."""
    receiver = Receiver(script=list(script))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = receiver.take(dict(self.headers), body)
            if answer == "die":
                self.close_connection = True
            elif answer.startswith("raw:"):
                self.wfile.write(answer.removeprefix("raw:").replace("|", "\r\n").encode("latin-1"))
                self.close_connection = True
            elif answer == "hang":
                receiver.release.wait(patient(20))
                self.close_connection = True
            else:
                self.answer(answer)

        def answer(self, answer: str) -> None:
            extra = {"retry-after": {"Retry-After": "77"}, "redirect": {"Location": receiver.url + "elsewhere"}}
            status = {"retry-after": 503, "redirect": 307, "flood": 200}.get(answer) or int(answer)
            self.send_response(status)
            for name, value in extra.get(answer, {}).items():
                self.send_header(name, value)
            length = {"flood": 1 << 40, "204": 0}.get(answer, 2)
            if length:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            try:
                while length > 0:
                    self.wfile.write(b"ok" * min(length // 2, 1 << 15))
                    length -= 1 << 16
            except OSError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Do not log."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()
        thread.join()
