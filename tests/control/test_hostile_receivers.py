"""Any answer of a receiver settles the event or backs off, within a bound on time, bytes and memory."""

from __future__ import annotations

import asyncio
import gzip
import logging
import resource
import shlex
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.executor import Done, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.intent import Intent, intent_of
from pilotfish.sidecar.control.ledger import DELIVERED, PENDING
from pilotfish.sidecar.control.loop import attempt
from pilotfish.sidecar.control.pending import next_change
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult
from pilotfish.sidecar.control.webhook.sender import WebhookSender, WebhookTarget
from tests.control.situations import HOUR, NOON, entry
from tests.support.examples import examples
from tests.support.waiting import patient

EVENT = entry(body='{"id":"i1","data":{}}')


@contextmanager
def answering(pieces: Callable[[], Iterable[bytes | None]], tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve on a free port; send the pieces after the request was read; None waits until the client has gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), connection:
                        answer(tls.wrap_socket(connection, server_side=True) if tls else connection)

        def answer(connection: socket.socket) -> None:
            with connection:
                request = b""
                while not request.endswith(b"}}") and not request.startswith(
                    b"\x16"
                ):  # a handshake that no TLS answers
                    request += connection.recv(65536) or b"}}"
                for piece in pieces():
                    if piece is None:
                        connection.recv(65536)
                    else:
                        connection.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def deliver(pieces: Callable[[], Iterable[bytes | None]], *, seconds: float | None = None) -> Outcome:
    with answering(pieces) as port:
        target = WebhookTarget(f"http://127.0.0.1:{port}/", None, seconds or patient(5.0))
        sender = WebhookSender(target, agent="pilotfish/test", clock=lambda: NOON)
        return asyncio.run(attempt(sender, intent_of(EVENT), NOON))


def endless(head: bytes, unit: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            yield unit

    return pieces


CHUNKED = b"HTTP/1.1 %d x\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "interim responses": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" * 100),
    "continues": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "empty lines": (b"", b"\r\n" * 1000),
    "a status line": (b"HTTP/1.1 500 ", b"x" * 10_000),
    "a header": (b"HTTP/1.1 500 x\r\nA: ", b"x" * 10_000),
    "headers": (b"HTTP/1.1 500 x\r\n", b"A: b\r\n" * 1000),
    "no HTTP": (b"", b"\x00\xff" * 1000),
    "a body of a failure": (b"HTTP/1.1 500 x\r\n\r\n", b"x" * 10_000),
    "trailers of a failure": (CHUNKED % 500 + b"0\r\n", b"A: b\r\n" * 1000),
    "another protocol": (b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", b"x" * 10_000),
}
ENDLESS_2XX: dict[str, tuple[bytes, bytes]] = {
    "a body": (b"HTTP/1.1 200 x\r\n\r\n", b"x" * 10_000),
    "a chunk extension": (CHUNKED % 202 + b"5;", b"x" * 10_000),
    "chunks": (CHUNKED % 200, b"1\r\nx\r\n" * 1000),
    "responses": (b"", b"HTTP/1.1 204 x\r\n\r\n" * 1000),
    "a gzip bomb": (b"HTTP/1.1 200 x\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(bytes(10**7))),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_an_endless_answer_is_cut_off_and_tried_again(what: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(deliver(endless(*ENDLESS[what])), RetryAt)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024  # KiB


@pytest.mark.parametrize("what", ENDLESS_2XX)
def test_an_endless_2xx_settles(what: str) -> None:
    assert deliver(endless(*ENDLESS_2XX[what])) == Done("drift")


@pytest.mark.parametrize(
    "status", [*range(200, 600, 7), 201, 202, 204, 205, 206, 299, 300, 304, 399, 410, 421, 429, 599]
)
def test_each_status_has_one_outcome(status: int) -> None:
    outcome = deliver(lambda: ([b"HTTP/1.1 %d \r\nContent-Length: 0\r\nRetry-After: 9\r\n\r\n" % status]))
    if status < 300:
        assert outcome == Done("drift")
    elif status == 410:
        assert outcome == Failed("http_410")
    else:
        assert isinstance(outcome, RetryAt)
        assert (outcome.reason, outcome.at) == (f"http_{status}", NOON + 9)


def test_an_interim_response_precedes_the_final_one() -> None:
    assert deliver(lambda: ([b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 100 x\r\n\r\nHTTP/1.1 200 x\r\n\r\n"])) == Done("drift")


def test_only_the_first_of_two_answers_counts() -> None:
    two = b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n"
    assert deliver(lambda: ([two])) == RetryAt("http_503", NOON)


def drip() -> Iterator[bytes | None]:
    yield b"HTTP/1.1 503 x\r\nX: "
    yield None


def test_a_slow_answer_ends_with_the_timeout() -> None:
    assert deliver(drip, seconds=0.1) == RetryAt("timeout", NOON)


def test_a_2xx_without_its_body_ends_with_the_timeout_and_settles() -> None:
    def pieces() -> Iterator[bytes | None]:
        yield b"HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n"
        yield None

    assert deliver(pieces, seconds=0.1) == Done("drift")


USUAL = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("length", range(len(USUAL)))
def test_an_answer_that_is_cut_off_anywhere_settles_if_its_head_arrived(length: int) -> None:
    outcome = deliver(lambda: ([USUAL[:length]]))
    assert isinstance(outcome, Done if length >= USUAL.index(b"\r\n\r\n") + 4 else RetryAt)


HEADERS = (
    b"Content-Length: 5",
    b"Content-Length: -1",
    b"Content-Length: 9" + b"9" * 400,
    b"Content-Length: 2, 2",
    b"Content-Length: \xb2",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked, x",
    b"Content-Encoding: br",
    b"Connection: close",
    b"Location: \x80\xff://\x00",
    b"Set-Cookie: a=b; expires=Tue, 14 Nov 99999 22:14:20 GMT; max-age=1" + b"9" * 400,
    b"Retry-After: 1" + b"9" * 5000,
    b"Retry-After: -1",
    b"Retry-After: Tue, 14 Nov 99999999999 22:14:20 GMT",
    b"Content-Type: text/html; charset=\xff",
    b"X: a\x00b",
    b" folded",
    b"no colon",
    b"\xe9: x",
    b": empty",
    b"X: " + b"y" * 2**20,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=examples(100))
@given(
    status=st.sampled_from(
        [b"HTTP/1.1 200 OK", b"HTTP/1.1 503 x", b"HTTP/1.0 302 x", b"HTTP/1.1 +99 x", b"ICY 200", b"\x16\x03"]
    ),
    headers=st.lists(st.sampled_from(HEADERS), max_size=4),
    body=st.sampled_from(
        [b"", b"ok", b"5\r\nhello\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFFFF\r\nx", b"-1\r\n", b"\x1f\x8b\x00"]
    ),
)
@example(b"HTTP/1.1 200 OK", [b"Content-Length: 2", b"Content-Length: 3"], b"ok")
def test_any_answer_settles_or_backs_off(status: bytes, headers: list[bytes], body: bytes) -> None:
    raw = b"".join(line + b"\r\n" for line in (status, *headers)) + b"\r\n" + body
    outcome = deliver(lambda: ([raw]))
    change = next_change(EVENT, outcome, NOON, Random(1))
    assert change.state in (DELIVERED, PENDING)
    assert change.state == DELIVERED or NOON <= change.next_at <= NOON + HOUR
    assert change.error != "executor_error"


@pytest.mark.parametrize("error", [asyncio.CancelledError, MemoryError, RecursionError, BaseException, OverflowError])
def test_an_exception_of_any_type_in_an_attempt_is_an_outcome(error: type[BaseException]) -> None:
    class Raising:
        async def apply(self, intent: Intent, now: float) -> Outcome:
            raise error

    assert asyncio.run(attempt(Raising(), intent_of(EVENT), NOON)) == RetryAt("executor_error")


def test_an_attempt_that_is_cancelled_stays_cancelled() -> None:
    class Waiting:
        async def apply(self, intent: Intent, now: float) -> Outcome:
            await asyncio.get_running_loop().create_future()
            raise AssertionError

    async def run() -> None:
        task = asyncio.create_task(attempt(Waiting(), intent_of(EVENT), NOON))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_a_redirect_is_not_followed_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    visited: list[int] = []

    def pieces() -> Iterator[bytes]:
        visited.append(1)
        yield b"HTTP/1.1 308 x\r\nLocation: /?token=s3cret\r\nContent-Length: 0\r\n\r\n"

    outcome = deliver(pieces)
    assert isinstance(outcome, RetryAt)
    assert outcome.reason == "http_308"
    assert "give the final address" in outcome.detail  # also for those who cannot read the log
    assert "s3cret" not in outcome.detail
    assert len(visited) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "redirects are not followed; give the final address" in caplog.text
    assert "s3cret" not in caplog.text


# --- certificates


def openssl(command: str, folder: Path) -> None:
    subprocess.run(["openssl", *shlex.split(command)], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, `ca.pem`, and certificates that it has signed for names and days."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("certificates")
    key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
    openssl(f"req -x509 {key} -days 2 -subj /CN=authority -keyout ca.key -out ca.pem", folder)
    san = "-addext subjectAltName=DNS:{0},IP:127.0.0.1"
    openssl(
        f"req -x509 {key} -days 2 -subj /CN=localhost {san.format('localhost')} -keyout self.key -out self.pem", folder
    )
    for name, host, days in (("valid", "localhost", 2), ("expired", "localhost", -1), ("other", "other.example", 2)):
        names = san.format(host) if name != "other" else f"-addext subjectAltName=DNS:{host}"
        openssl(f"req {key} -subj /CN={host} {names} -keyout {name}.key -out {name}.csr", folder)
        openssl(
            f"x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -copy_extensions copy"
            f" -out {name}.pem",
            folder,
        )
    return folder


def deliver_over_tls(certificates: Path, name: str, host: str = "localhost") -> DeliveryResult:
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")

    with answering(lambda: [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], served) as port:
        return send_to(f"https://{host}:{port}/")


def send_to(url: str) -> DeliveryResult:
    sender = WebhookSender(WebhookTarget(url, None, patient(5.0)), agent="pilotfish/test", clock=time.time)
    return asyncio.run(sender.send(EVENT.id, str(EVENT.desired)))


@pytest.mark.real
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_an_authority_in_ssl_cert_file_is_accepted(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    assert deliver_over_tls(certificates, "valid", host) == DeliveryResult(200)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "trusted", "problem"),
    [
        ("self", False, "self-signed certificate; set SSL_CERT_FILE to a file with this certificate"),
        ("valid", False, "unable to get local issuer certificate; set SSL_CERT_FILE to a file with the certificate of"),
        ("expired", True, "certificate has expired; renew it"),
        ("other", True, "Hostname mismatch, certificate is not valid for 'localhost'; give the host name of the"),
    ],
)
def test_a_certificate_that_is_not_valid_is_refused_with_the_reason(
    certificates: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, problem: str
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.pem"))
    found = deliver_over_tls(certificates, name)
    assert (found.status, found.error) == (None, "tls")
    assert found.problem.startswith(f"the certificate of the receiver is not valid: {problem}")


def test_a_port_without_tls_gives_a_tls_error_with_the_reason() -> None:
    with answering(lambda: [b"HTTP/1.1 400 x\r\n\r\n"]) as port:
        found = send_to(f"https://localhost:{port}/")
    assert found == DeliveryResult(
        None, "tls", problem="the TLS handshake with the receiver failed; check that its port speaks TLS"
    )
