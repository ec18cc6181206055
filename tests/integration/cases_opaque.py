"""Scripts of other protocols, protocol switches and malformed HTTP/1.1. All bytes must be forwarded unchanged."""

from __future__ import annotations

import random

from pilotfish.sidecar.wire.http1.tracker import PIPELINE_LIMIT
from tests.integration.case import PATH, Case, answer, bare, chunked, head, post
from tests.integration.cases_http import H2C, INPUT, OUTPUT, P200, TE
from tests.integration.wire import Wire

WEBSOCKET = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Version: 13",
)
ACCEPTED = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
CLIENT_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(range(160))
SERVER_HELLO = bytes.fromhex("160303003a020000360303") + bytes(range(55))
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def both_ways(w: Wire, up: bytes, down: bytes) -> None:
    w.up(up)
    w.down(down)
    w.up(up)
    w.down(down)
    w.end()


def connect_taken(w: Wire) -> None:
    w.up(b"CONNECT example:443 HTTP/1.1\r\nHost: example:443\r\n\r\n")
    w.down(head(b"200 Connection established"))
    both_ways(w, CLIENT_HELLO, SERVER_HELLO)


def websocket_taken(w: Wire) -> None:
    w.up(bare(b"GET", *WEBSOCKET))
    w.down(head(b"101 Switching Protocols", *ACCEPTED))
    both_ways(w, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x81\x05Hello")


def websocket_with_frames_behind_the_heads(w: Wire) -> None:
    w.up(bare(b"GET", *WEBSOCKET))
    w.down(head(b"101 Switching Protocols", *ACCEPTED) + b"\x81\x05Hello")
    w.up(b"\x81\x80\x37\xfa\x21\x3d")
    w.down_rst()


def websocket_after_an_exchange(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    websocket_taken(w)


def h2c_taken(w: Wire) -> None:
    w.up(post(INPUT, *H2C))
    w.down(head(b"101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: h2c") + bytes(3) + b"\x04" + bytes(5))
    both_ways(w, PREFACE, bytes(3) + b"\x04\x01" + bytes(4))


def http2_preface(w: Wire) -> None:
    both_ways(w, PREFACE, bytes(3) + b"\x04" + bytes(5))


def tls(w: Wire) -> None:
    both_ways(w, CLIENT_HELLO, SERVER_HELLO)


def tls_reset(w: Wire) -> None:
    w.up(CLIENT_HELLO)
    w.down(SERVER_HELLO)
    w.down_rst()


def random_bytes(w: Wire) -> None:
    both_ways(w, noise(1, 500), noise(2, 500))


def server_speaks_first(w: Wire) -> None:
    w.down(b"220 mail.example ESMTP\r\n")
    both_ways(w, b"HELO m\r\n", b"250 Hello\r\n")


def response_without_a_request(w: Wire) -> None:
    w.down(answer(b"surprise", status=b"408 Request Timeout"))
    w.down_fin()
    w.up_fin()


def two_responses_to_one_request(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    w.down(answer(OUTPUT))
    both_ways(w, post(INPUT), answer(OUTPUT))


def response_is_not_http(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(b"\x00\x01\x02 this is no status line\r\n\r\n")
    both_ways(w, post(INPUT), answer(OUTPUT))


def chunk_size_is_nonsense(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"zz\r\nhello\r\n")
    both_ways(w, noise(3, 100), answer(OUTPUT))


def chunk_size_is_negative(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"-5\r\nhello\r\n")
    both_ways(w, noise(3, 100), answer(OUTPUT))


def chunk_size_is_immense(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"f" * 200 + b"\r\nhello\r\n")
    both_ways(w, noise(3, 100), answer(OUTPUT))


def chunk_longer_than_it_says(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"3\r\nhello\r\n0\r\n\r\n")
    both_ways(w, noise(4, 100), answer(OUTPUT))


def content_lengths_differ(w: Wire) -> None:
    w.up(post(INPUT, b"Content-Length: 5"))
    both_ways(w, noise(5, 100), answer(OUTPUT))


def content_length_is_nonsense(w: Wire) -> None:
    w.up(bare(b"POST", b"Content-Length: +5") + b"hello")
    both_ways(w, noise(5, 100), answer(OUTPUT))


def content_length_and_chunked(w: Wire) -> None:
    w.up(bare(b"POST", b"Content-Length: 5", TE) + chunked(INPUT))
    both_ways(w, noise(6, 100), answer(OUTPUT))


def nul_in_a_header(w: Wire) -> None:
    w.up(bare(b"POST", b"X: a\0b", b"Content-Length: 0"))
    both_ways(w, noise(7, 100), answer(OUTPUT))


def space_before_the_colon(w: Wire) -> None:
    w.up(bare(b"POST", b"Content-Length : 5") + b"hello")
    both_ways(w, noise(8, 100), answer(OUTPUT))


def http_0_9(w: Wire) -> None:
    w.up(b"GET /\r\n")
    w.down(b"<html>hello</html>")
    w.down_fin()
    w.up_fin()


def http_3_of_the_future(w: Wire) -> None:
    w.up(b"POST " + PATH + b" HTTP/3.7\r\nHost: m\r\n\r\n")
    both_ways(w, noise(9, 100), b"HTTP/3.7 200 OK\r\n\r\n")


def head_of_a_mebibyte(w: Wire) -> None:
    w.up(post(INPUT, b"X-Large: " + b"x" * (1 << 20)))
    w.down(answer(OUTPUT))
    w.end()


def response_head_of_a_mebibyte(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT, b"X-Large: " + b"x" * (1 << 20)))
    w.end()


def header_line_that_never_ends(w: Wire) -> None:
    w.up(b"POST " + PATH + b" HTTP/1.1\r\nX: " + b"x" * (4 << 20))
    w.end()


def fifty_thousand_header_lines(w: Wire) -> None:
    w.up(post(INPUT, *(b"X-%d: 1" % number for number in range(50_000))))
    w.down(answer(OUTPUT))
    w.end()


def trailers_that_never_end(w: Wire) -> None:
    w.up(bare(b"POST", TE) + b"0\r\n" + b"X: y\r\n" * 200_000)
    w.end()


def thousands_of_pipelined_requests(w: Wire) -> None:
    w.up(post(b"x") * 5000)
    w.down(answer(b"y") * 5000)
    w.end()


def noise_after_an_exchange(w: Wire) -> None:
    w.up(post(INPUT))
    w.down(answer(OUTPUT))
    both_ways(w, noise(10, 300), noise(11, 300))


def one_large_opaque_stream(w: Wire) -> None:
    both_ways(w, b"\0" + noise(12, 3 << 20), noise(13, 3 << 20))


CASES = (
    Case(chunk_longer_than_it_says, aborted=1, downgrade="malformed", clean=False),
    Case(chunk_size_is_immense, aborted=1, downgrade="malformed", clean=False),
    Case(chunk_size_is_negative, aborted=1, downgrade="malformed", clean=False),
    Case(chunk_size_is_nonsense, aborted=1, downgrade="malformed", clean=False),
    Case(connect_taken, downgrade="connect", clean=False),
    Case(content_length_and_chunked, aborted=1, downgrade="any", clean=False),
    Case(content_length_is_nonsense, downgrade="malformed", clean=False),
    Case(content_lengths_differ, downgrade="malformed", clean=False),
    Case(fifty_thousand_header_lines, downgrade="too_large", clean=False, lockstep=False),
    Case(h2c_taken, downgrade="upgrade", clean=False),
    Case(head_of_a_mebibyte, downgrade="too_large", clean=False, lockstep=False),
    Case(header_line_that_never_ends, downgrade="too_large", clean=False, lockstep=False),
    Case(http2_preface, downgrade="http2", clean=False),
    Case(http_0_9, downgrade="any", clean=False),
    Case(http_3_of_the_future, downgrade="any", clean=False),
    Case(noise_after_an_exchange, (P200,), downgrade="any", clean=False),
    Case(nul_in_a_header, downgrade="any", clean=False),
    Case(one_large_opaque_stream, downgrade="any", clean=False, lockstep=False),
    Case(random_bytes, downgrade="not_http", clean=False),
    Case(response_head_of_a_mebibyte, aborted=1, downgrade="too_large", clean=False, lockstep=False),
    Case(response_is_not_http, aborted=1, downgrade="malformed", clean=False),
    Case(response_without_a_request, downgrade="unmatched", clean=False),
    Case(server_speaks_first, downgrade="any", clean=False),
    Case(space_before_the_colon, downgrade="any", clean=False),
    Case(thousands_of_pipelined_requests, aborted=PIPELINE_LIMIT, downgrade="too_large", clean=False, lockstep=False),
    Case(tls, downgrade="tls", clean=False),
    Case(tls_reset, downgrade="tls", clean=False),
    Case(trailers_that_never_end, aborted=1, downgrade="too_costly", clean=False, lockstep=False),
    Case(two_responses_to_one_request, (P200,), downgrade="unmatched", clean=False),
    Case(websocket_after_an_exchange, (P200,), downgrade="upgrade", clean=False),
    Case(websocket_taken, downgrade="upgrade", clean=False),
    Case(websocket_with_frames_behind_the_heads, downgrade="upgrade", clean=False),
)
