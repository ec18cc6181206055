"""Reads the token counts of one record, or why there are none. `read_tokens` never raises an exception."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ...channel.record import EVENT_STREAM, RESPONSE_TRUNCATED, Record
from ...report.blocks.tokens import TokenReason
from ...wire.headers import Headers
from ..decode.allowance import Allowance
from ..decode.content import decompress
from ..decode.headers import CONTENT_ENCODING, CONTENT_TYPE
from ..decode.targets import MAX_CACHED_TARGET, parse_target
from ..decode.types import MIB, SkipExchangeError
from ..defects import log_defect
from . import documents
from .choices import of_one_choice
from .counts import InvalidCountError, TokenCounts, added, count, counts

BODY_BYTES = 2 * MIB  # of a body after decompression
LOOKED_AT = 4096  # bytes at the end of a body, by which a response on an unknown path is recognised
# the ends of paths that language models only have; other paths are recognised by the counts in their responses
PATHS = (
    ("api", "chat"),
    ("api", "generate"),
    ("chat", "completions"),
    ("completion",),
    ("completions",),
    ("generate_stream",),
    ("v1", "embeddings"),
    ("v1", "messages"),
    ("v1", "responses"),
)
HEADERS = ("x-prompt-tokens", "x-generated-tokens")  # of TGI and LoRAX
_LINES = (b"application/x-ndjson", b"application/stream+json", b"application/jsonl")
_SKIPS = {"content_encoding": TokenReason.ENCODED}


def read_tokens(record: Record, allowance: Allowance, *, known: bool) -> TokenCounts | TokenReason | None:
    """Return the counts in a response, or why it has none; None if the exchange is not of a language model.

    Args:
        record: an exchange that was answered with a status of 2xx.
        allowance: what reading may cost; the expected cost is drawn from it.
        known: whether another response of this route had counts.
    """
    expected = known or is_language_path(record.target)
    if not expected and not any(mark in record.response_body[-LOOKED_AT:] for mark in documents.MARKS):
        return None
    try:
        found = _read(record, allowance)
    except InvalidCountError:
        found = TokenReason.INVALID
    except SkipExchangeError as skipped:
        found = _SKIPS.get(skipped.reason, TokenReason.BUDGET)
    except Exception as error:  # a defect here must not end the worker thread
        log_defect("reading the tokens of a response failed", error)
        found = TokenReason.DEFECT
    return None if isinstance(found, TokenReason) and not expected else found


def is_language_path(target: str) -> bool:
    """Return whether only language models have such a path."""
    return _cached(target) if len(target) <= MAX_CACHED_TARGET else _is_language_path(target)


def _is_language_path(target: str) -> bool:
    segments = parse_target(target).segments
    if segments[-1:] == ("generate",):
        return segments[-4:-2] == ("v2", "models") or segments[-2:-1] == ("api",)
    return any(segments[-len(path) :] == path for path in PATHS)


_cached = lru_cache(1024)(_is_language_path)


def _read(record: Record, allowance: Allowance) -> TokenCounts | TokenReason:
    headers = Headers(record.response_headers)
    cut = bool(record.flags & RESPONSE_TRUNCATED)
    coding = headers.get(CONTENT_ENCODING)
    body = record.response_body
    if coding is not None and coding.strip().lower() not in ("", "identity"):
        if cut:
            return TokenReason.ENCODED
        body = decompress(body, coding, BODY_BYTES, allowance.room)
    allowance.skim(body)
    is_stream = bool(record.flags & EVENT_STREAM)
    found = _counts(body, headers, cut=cut) or _of_headers(headers)
    if found is not None:
        return found
    if is_stream:
        return TokenReason.STREAM
    return TokenReason.TRUNCATED if cut else TokenReason.ABSENT


def _counts(body: bytes, headers: Headers, *, cut: bool) -> TokenCounts | TokenReason | None:
    """Return the counts in a body, or that they are not those of the whole response; None if it has none."""
    stream = headers.begins(CONTENT_TYPE, b"text/event-stream") or documents.looks_like_events(body)
    if stream:
        told = [documents.cut_stream(body) if cut else documents.events(body)]
    elif cut:
        told = [documents.end(body)]
    elif any(headers.begins(CONTENT_TYPE, kind) for kind in _LINES):
        told = [documents.lines(body)]
    else:
        told = _of_json(body)
    if len(told) == 1 and of_one_choice(told[0], body, stream=stream):
        return TokenReason.PARTIAL
    found = [counts(each) for each in told]
    known = [each for each in found if each is not None]
    return added(known) if known and len(known) == len(found) else None


def _of_json(body: bytes) -> list[dict[str, Any]]:
    try:
        return documents.single(body)
    except documents.NotJsonError:
        return [documents.lines(body)]


def _of_headers(headers: Headers) -> TokenCounts | None:
    values = [headers.get(name) for name in HEADERS]
    if None in values:
        return None
    prompt, completion = (int(value) if value and value.isdecimal() and len(value) < 12 else -1 for value in values)
    return TokenCounts(count(prompt), count(completion))
