"""The HTTP client of the commands: a hostile server cannot keep it, fill the memory, or make it raise another error."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from pilotfish.sidecar.system.addresses import Address
from pilotfish.sidecar.system.httpget import MAX_HEAD, HttpGetError, HttpStatusError, get
from tests.support.waiting import patient

Send = Callable[[bytes], None]
OK = b"HTTP/1.1 200 OK\r\n"
LIMIT = 1 << 20
DEADLINE = 0.3


@contextmanager
def server(behave: Callable[[Send], None]) -> Iterator[Address]:
    """Serve connections one after the other: read what comes first, call `behave`, close."""

    def serve() -> None:
        while True:
            try:
                sock, _ = listening.accept()
            except OSError:
                return
            with sock, suppress(OSError):
                sock.recv(65536)
                behave(sock.sendall)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Address("127.0.0.1", listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(patient(5))


def fetch(address: Address, seconds: float = DEADLINE) -> bytes:
    return get(address, "/report", {}, most=LIMIT, seconds=seconds)


def answer(raw: bytes, seconds: float = 10.0) -> bytes:
    with server(lambda send: send(raw)) as address:
        return fetch(address, patient(seconds))


def endless(part: bytes, pause: float = 0.0) -> Callable[[Send], None]:
    """Return a behaviour that sends `part` until the client closes the connection."""
    never = threading.Event()

    def behave(send: Send) -> None:
        while not never.wait(pause):
            send(part)

    return behave


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", b"{}"),
        (OK + b"Connection: close\r\n\r\n{}", b"{}"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", b"{}"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 0\r\n\r\n", b""),
    ],
)
def test_a_body_is_returned(raw: bytes, body: bytes) -> None:
    assert answer(raw) == body


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabc\r\n0\r\n\r\n", "not HTTP"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\nabc", "not HTTP"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", "not HTTP"),
        (OK + b"Content-Length: 99999999999999999999999999\r\n\r\nabc", "cut off"),
        (OK + b"Content-Length: 5\r\n\r\nabc", "cut off"),
        (OK + b"a: b\r\n" * 500 + b"\r\n{}", "not HTTP"),
        (OK + b"x: " + b"a" * 100_000, "not HTTP"),
        (b"HTTP/1.1 99999999999999999999999 x\r\n\r\n", "not HTTP"),
        (b"\x1b]0;title\x07\x1b[31m 200\r\n\r\n", "not HTTP"),
        (b"", "no answer"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "status 302"),
        (OK + b"\r\n" + b"x" * (LIMIT + 1), "larger than 1 MiB"),
    ],
)
def test_an_answer_that_is_no_response_is_an_error(raw: bytes, message: str) -> None:
    with pytest.raises(HttpGetError, match=message) as caught:
        answer(raw)
    assert "\x1b" not in str(caught.value)


@pytest.mark.long
@pytest.mark.parametrize(
    "behave",
    [
        endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
        endless(b"a: b\r\n"),
        endless(b"a", 0.05),
        endless(b"x" * 65536),
    ],
)
@pytest.mark.parametrize("start", [b"", OK, OK + b"\r\n", OK + b"Content-Length: 100000\r\n\r\n"])
def test_an_answer_without_an_end_is_given_up(behave: Callable[[Send], None], start: bytes) -> None:
    def both(send: Send) -> None:
        send(start)
        behave(send)

    began = time.monotonic()
    with server(both) as address, suppress(HttpGetError):
        assert len(fetch(address)) == 100_000  # enough bytes came before the deadline
    assert time.monotonic() - began < patient(5)


def test_interim_responses_are_bounded_in_bytes() -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\n"
    with pytest.raises(HttpGetError, match="more bytes"):
        answer(raw * (MAX_HEAD // len(raw) + 1000) + OK + b"\r\n")


def test_the_text_of_a_refusal_is_quoted_and_cut() -> None:
    with pytest.raises(HttpStatusError) as caught:
        answer(b"HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 5000\r\n\r\n" + b"\x1b[31m" * 1000)
    assert caught.value.status == 500
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_any_bytes_end_in_a_body_or_an_error() -> None:
    seed = random.Random(10)
    good = OK + b"Transfer-Encoding: chunked\r\nContent-Type: a\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    replies = []
    for _ in range(300):
        damaged = bytearray(good)
        for _ in range(seed.randrange(1, 4)):
            damaged[seed.randrange(len(damaged))] = seed.choice(b"\x00\n\r -:;0159aF\x1b\xff")
        replies.append(bytes(damaged[: seed.randrange(1, len(damaged) + 1)]))
    left = iter(replies)
    with server(lambda send: send(next(left))) as address:
        for _ in replies:
            with suppress(HttpGetError):
                fetch(address, patient(5))
