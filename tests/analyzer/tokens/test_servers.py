"""The counts in responses of real servers are read: whole, as CRLF streams, compressed, and cut in the middle."""

from __future__ import annotations

import gzip

import pytest

from pilotfish.sidecar.analyzer.decode import Allowance
from pilotfish.sidecar.analyzer.tokens.counts import TokenCounts
from pilotfish.sidecar.analyzer.tokens.read import is_language_path, read_tokens
from pilotfish.sidecar.channel.record import EVENT_STREAM, RESPONSE_TRUNCATED, Record
from pilotfish.sidecar.proxy.capture import BODY_END, STREAM_BEGIN, STREAM_END, BodyCapture, CaptureBudget
from pilotfish.sidecar.report.blocks.tokens import TokenReason
from tests.analyzer.tokens.servers import EVENTS, JSON, OF_ONE_CHOICE, RESPONSES, ServerResponse
from tests.support.records import make_record


def record(path: str, body: bytes, kind: str = JSON, flags: int = 0, headers: bytes = b"") -> Record:
    """Return the record of a POST request to `path`."""
    flags |= EVENT_STREAM * kind.startswith(("text/event-stream", "application/x-ndjson"))
    block = b"Content-Type: " + kind.encode() + b"\r\n" + headers
    return make_record(response=body, flags=flags, target=path, route=f"POST {path}", response_headers=block)


def read(exchange: Record, *, known: bool = False) -> TokenCounts | TokenReason | None:
    return read_tokens(exchange, Allowance(), known=known)


def captured(body: bytes, *, stream: bool, limit: int) -> bytes:
    """Return what the proxy keeps of a long response."""
    capture = BodyCapture(CaptureBudget(), limit)
    capture.is_stream = stream
    for start in range(0, len(body), 1000):
        capture.response(body[start : start + 1000])
    assert capture.response_truncated
    return b"".join(capture.response_body)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: response.server)
def test_the_counts_in_the_response_of_a_server_are_read(response: ServerResponse) -> None:
    body = response.body.encode()
    assert read(record(response.path, body, response.kind)) == response.counts
    packed = record(response.path, gzip.compress(body), response.kind, headers=b"Content-Encoding: gzip\r\n")
    assert read(packed, known=True) == response.counts
    if response.kind == EVENTS:
        unusual = b": a comment\n\n" + body
        for end in (b"\r\n", b"\r"):
            assert read(record(response.path, unusual.replace(b"\n", end), EVENTS)) == response.counts


@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: response.server)
def test_the_counts_of_a_response_are_read_that_is_longer_than_what_is_kept(response: ServerResponse) -> None:
    body, stream = response.body.encode(), response.kind != JSON
    if stream:
        first, rest = body.split(b"\n", 1)
        filler = b'data: {"choices":[{"delta":{"content":"caf\xc3\xa9 \\"usage\\": {"}}]}\n\n'
        long = (
            first + b"\n\n" + filler * 2000 + rest if response.kind == EVENTS else first + b"\n" + b"{}\n" * 9000 + rest
        )
        kept = captured(long, stream=True, limit=1 << 20)
        assert len(kept) == STREAM_BEGIN + STREAM_END
    else:
        long = body[:1] + b'"filler":"' + b"x" * 200_000 + b'",' + body[1:] if body.startswith(b"{") else b""
        if not long:
            pytest.skip("a list has no room for a filler before its results")
        kept = captured(long, stream=False, limit=100_000)
        assert len(kept) == 100_000 + BODY_END
    exchange = record(response.path, kept, response.kind, RESPONSE_TRUNCATED)
    if response.server.startswith("TGI: generate"):
        assert read(exchange, known=True) == response.counts
    else:
        assert read(exchange) == response.counts


def test_the_last_event_of_a_cut_stream_counts_although_its_beginning_is_missing() -> None:
    text = "x" * 20_000
    events = (
        b'event: response.created\ndata: {"response":{"usage":null}}\n\n' * 100
        + (
            f'event: response.completed\ndata: {{"response":{{"output":"{text}","usage":{{"input_tokens":37,'
            '"output_tokens":11,"total_tokens":48},"user":null,"metadata":{}}}\n\n'
        ).encode()
    )
    kept = captured(events, stream=True, limit=1 << 20)
    assert read(record("/v1/responses", kept, EVENTS, RESPONSE_TRUNCATED)) == TokenCounts(37, 11)


def test_counts_at_the_beginning_of_a_cut_stream_are_not_those_of_its_end() -> None:
    first = b'data: {"text":"a","meta_info":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
    kept = captured(first + b'data: {"text":"abc"}\n\n' * 2000, stream=True, limit=1 << 20)
    assert read(record("/generate", kept, EVENTS, RESPONSE_TRUNCATED), known=True) is TokenReason.STREAM


@pytest.mark.parametrize(
    ("body", "kind", "flags", "headers", "reason"),
    [
        (b'{"choices":[{"text":"a"}]}', JSON, 0, b"", TokenReason.ABSENT),
        (b"", JSON, 0, b"", TokenReason.ABSENT),
        (b'{"usage":null}', JSON, 0, b"", TokenReason.ABSENT),
        (b'{"usage":{"type":"duration","seconds":4}}', JSON, 0, b"", TokenReason.ABSENT),
        (b'{"usage":{"prompt_tokens":1}', JSON, 0, b"", TokenReason.ABSENT),
        (b'data: {"choices":[]}\n\ndata: [DONE]\n\n', EVENTS, 0, b"", TokenReason.STREAM),
        (b'{"choices":[{"text":"aaaa', JSON, RESPONSE_TRUNCATED, b"", TokenReason.TRUNCATED),
        (b"\x1f\x8b\x08", JSON, RESPONSE_TRUNCATED, b"Content-Encoding: gzip\r\n", TokenReason.ENCODED),
        (b"{}", JSON, 0, b"Content-Encoding: br\r\n", TokenReason.ENCODED),
        (b'{"usage":{"prompt_tokens":-1,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":"9","completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":true,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":NaN,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":1e999,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":1.5,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":%s}}' % (b"9" * 5000), JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":[1],"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":1},"usage":{"prompt_tokens":2}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":{"prompt_tokens":9,"total_tokens":3}}', JSON, 0, b"", TokenReason.INVALID),
        (b'{"usage":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON, 0, b"", TokenReason.ABSENT),
    ],
)
def test_a_response_without_usable_counts_has_a_reason(
    body: bytes, kind: str, flags: int, headers: bytes, reason: TokenReason
) -> None:
    assert read(record("/v1/chat/completions", body, kind, flags, headers)) is reason
    if reason is not TokenReason.ABSENT:
        assert reason.remedy


@pytest.mark.parametrize("case", OF_ONE_CHOICE)
def test_counts_of_one_of_several_choices_are_not_those_of_the_response(case: str) -> None:
    path, kind, body = OF_ONE_CHOICE[case]
    assert read(record(path, body.encode(), kind)) is TokenReason.PARTIAL
    alone = body.replace('"index":1', '"index":0')
    if kind == EVENTS:
        assert isinstance(read(record(path, alone.encode(), kind)), TokenCounts)


def test_counts_of_all_choices_are_those_of_the_response() -> None:
    path, kind, body = OF_ONE_CHOICE["whole"]
    summed = body.replace('"completion_tokens":4', '"completion_tokens":8')
    assert read(record(path, summed.encode(), kind)) == TokenCounts(28, 8, 14)


def test_only_completion_tokens_are_partial_counts() -> None:
    body = b'{"generated_text":"a","details":{"generated_tokens":4,"prefill":[]}}'
    assert read(record("/generate", body)) == TokenCounts(None, 4)


def test_counts_in_headers_are_read() -> None:
    headers = b"x-prompt-tokens: 12\r\nX-Generated-Tokens: 5\r\n"
    assert read(record("/generate", b'{"generated_text":"a"}', headers=headers), known=True) == TokenCounts(12, 5)
    bad = headers.replace(b"12", b"-1")
    assert read(record("/generate", b"{}", headers=bad), known=True) is TokenReason.INVALID


def test_a_body_beyond_the_allowance_is_not_read() -> None:
    body = b'{"data":"' + b"x" * 500_000 + b'","usage":{"prompt_tokens":1,"total_tokens":1}}'
    assert read_tokens(record("/v1/embeddings", body), Allowance(0), known=False) is TokenReason.BUDGET


def test_other_services_with_a_usage_of_something_else_are_no_language_models() -> None:
    assert read(record("/score", b'{"usage":12.5}')) is None
    assert read(record("/score", b'{"usage":{"kwh":3}}')) is None
    assert read(record("/score", b'{"predictions":[1]}')) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/chat/completions", True),
        ("/openai/v1/chat/completions?a=b", True),
        ("/v1//chat/./completions", True),
        ("/v2/models/m/generate", True),
        ("/generate", False),
        ("/v1/models", False),
        ("/v2/models/m/infer", False),
        ("/api/chat", True),
    ],
)
def test_paths_of_language_models_are_known(path: str, expected: bool) -> None:
    assert is_language_path(path) is expected
