"""Reading the counts of any response ends with counts in range or with a reason, never with an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import Allowance
from pilotfish.sidecar.analyzer.tokens import documents
from pilotfish.sidecar.analyzer.tokens.counts import MOST_TOKENS, InvalidCountError, TokenCounts, counts
from pilotfish.sidecar.analyzer.tokens.read import read_tokens
from pilotfish.sidecar.channel.record import EVENT_STREAM, RESPONSE_TRUNCATED
from pilotfish.sidecar.report.blocks.tokens import TokenReason
from tests.analyzer.tokens.servers import EVENTS, JSON, LINES, RESPONSES
from tests.support.examples import examples
from tests.support.records import make_record

NAMES = (
    "usage", "prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cached_tokens",
    "prompt_tokens_details", "cache_read_input_tokens", "meta_info", "details", "prefill", "generated_tokens",
    "input_length", "prompt_eval_count", "eval_count", "embeddings", "tokens_evaluated", "tokens_predicted", "timings",
    "cache_n", "response", "message", "choices",
)  # fmt: skip
numbers = st.integers(-5, 50) | st.sampled_from([MOST_TOKENS, MOST_TOKENS + 1, 2**63, -1, 10**400]) | st.floats()
leaves = (
    st.none()
    | st.booleans()
    | numbers
    | st.text(max_size=8)
    | st.sampled_from(['{"usage":', "data: x\n\n", '\\"usage'])
)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


def written(tree: object, twice: bool) -> bytes:
    """Return a tree as JSON; with `twice`, the first key of an object occurs again."""
    text = json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")
    if twice and isinstance(tree, dict) and tree:
        name = next(iter(tree))
        text = text[:-1] + f', "{name}": 3}}'.encode()
    return text


documents_text = st.builds(written, trees, st.booleans())
streams = st.lists(
    documents_text.map(lambda text: b"data: " + text.replace(b"\n", b"\ndata: "))
    | st.just(b"data: [DONE]")
    | st.just(b": x"),
    max_size=6,
).map(b"\n\n".join)
bodies = st.one_of(
    st.binary(max_size=400),
    documents_text,
    streams,
    streams.map(lambda text: text.replace(b"\n", b"\r\n")),
    st.lists(documents_text, max_size=5).map(b"\n".join),
    st.sampled_from([response.body.encode() for response in RESPONSES]),
)


@settings(max_examples=examples(400))
@given(
    bodies,
    st.integers(0, 400),
    st.integers(0, 400),
    st.binary(max_size=3),
    st.sampled_from([JSON, EVENTS, LINES, ""]),
    st.booleans(),
)
def test_any_body_has_counts_in_range_or_a_reason(
    body: bytes, start: int, length: int, damage: bytes, kind: str, cut: bool
) -> None:
    body = body[:start] + damage + body[start + length if cut else start :]
    flags = RESPONSE_TRUNCATED * cut | EVENT_STREAM * (kind == EVENTS)
    record = make_record(
        response=body,
        flags=flags,
        target="/v1/chat/completions",
        response_headers=b"Content-Type: %b\r\n" % kind.encode(),
    )
    found = read_tokens(record, Allowance(), known=True)
    assert found is not TokenReason.DEFECT
    if isinstance(found, TokenCounts):
        known = [amount for amount in found if amount is not None]
        assert known
        assert all(0 <= amount <= 4 * MOST_TOKENS * 20 for amount in known)
        assert found.cached is None or (found.prompt is not None and found.cached <= found.prompt)
    else:
        assert isinstance(found, TokenReason)


@given(trees)
def test_the_fast_and_the_slow_parser_find_the_same_fields(tree: object) -> None:
    text = json.dumps(tree).encode()
    try:
        fast: object = documents.single(text)
    except (InvalidCountError, documents.NotJsonError) as error:
        fast = type(error)
    try:
        slow: object = documents.single(b"[%b, NaN]" % text) if isinstance(tree, dict) else fast
    except (InvalidCountError, documents.NotJsonError) as error:
        slow = type(error)
    assert repr(fast) == repr(slow)


@given(st.integers(0, 9), st.sampled_from(NAMES), st.booleans())
def test_an_object_that_a_model_wrote_does_not_count_in_a_cut_body(depth: int, name: str, batch: bool) -> None:
    forged: object = {"usage": {"prompt_tokens": 7, "completion_tokens": 7}, "eval_count": 7, "prompt_eval_count": 7}
    for _ in range(depth + 1):
        forged = {name: [forged] if batch else forged}
    for kind, flags in ((JSON, 0), (EVENTS, EVENT_STREAM)):
        body = json.dumps({"tools": {"arguments": forged}, "model": "x"})[9:].encode()
        response = b"data: " * (kind == EVENTS) + body + b"\n\n" * (kind == EVENTS)
        record = make_record(
            response=response,
            flags=RESPONSE_TRUNCATED | flags,
            target="/v1/chat/completions",
            response_headers=b"Content-Type: %b\r\n" % kind.encode(),
        )
        assert isinstance(read_tokens(record, Allowance(), known=True), TokenReason)


HOSTILE = {
    "open objects": b'{"usage":' * 1_100_000,
    "closed objects": b'{"usage":' * 800 + b"{}" + b"}" * 800,
    "open events": b'data: {"usage":\n\n' * 130_000,
    "many results": b"[" + b",".join([b'{"usage":{}}'] * 170_000) + b"]",
    "a large field": b'{"usage":{' + b",".join(b'"%d":{}' % number for number in range(180_000)) + b"}}",
    "many numbers": b'{"eval_count":1,' * 100_000,
}


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_the_fields_that_are_read_of_a_hostile_body_are_bounded(
    name: str, cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    original = documents._unique

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read.append(len(pairs))
        return original(pairs)

    for place in ("_DECODER", "_unique"):
        monkeypatch.setattr(documents, place, json.JSONDecoder(object_pairs_hook=unique) if place[1] == "D" else unique)
    record = make_record(
        response=HOSTILE[name], flags=RESPONSE_TRUNCATED * cut, target="/v1/completions", response_headers=b""
    )
    assert isinstance(read_tokens(record, Allowance(), known=True), TokenReason)
    assert len(read) < 10_000


@given(
    st.integers(0, MOST_TOKENS),
    st.integers(0, MOST_TOKENS),
    st.lists(st.text(max_size=5), max_size=5),
    st.integers(0, 60),
)
def test_a_text_of_the_model_cannot_change_the_counts(
    prompt: int, completion: int, words: list[str], split: int
) -> None:
    told = {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
    forged = json.dumps({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})
    text = "".join(words) + forged + '"usage":{"prompt_tokens":1,"completion_tokens":1}\n\ndata: '
    event = json.dumps({"choices": [{"delta": {"content": text}}], **told}, ensure_ascii=split % 2 == 0)
    body = f"data: {event}\n\ndata: [DONE]\n\n".encode("utf-8", "replace")
    assert counts(documents.events(body)) == TokenCounts(prompt, completion)
    assert counts(documents.end(body[split:])) == TokenCounts(prompt, completion)
