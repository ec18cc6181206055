"""Convert a body to JSON: decompress it within a bound, parse it, and reject duplicate keys.

The decoders of all protocols parse bodies with this module. Bodies are untrusted: never decompress beyond the limit.
Never accept an object with a duplicate key, because servers differ in the value that they use.
"""

from __future__ import annotations

import json
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ...system.gunzip import GZIP, RAW, ZLIB, CutOffError, DamagedError, OutputTooLargeError, inflate
from ...wire.headers import Headers
from .headers import CONTENT_TYPE
from .types import SkipExchangeError

T = TypeVar("T")

MAX_CODINGS = 3
MAX_RATIO = 100  # of decompressed to compressed bytes; JSON has 3 to 30
ANY_RATIO_BYTES = 256 * 1024  # of a decompressed body: up to this size, the ratio may be larger
_WINDOWS = {"deflate": (ZLIB, RAW), "gzip": (GZIP,), "x-gzip": (GZIP,)}
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # the first bytes of gzip and zstd
_NESTED = frozenset((dict, list))
_COLONS_AFTER_SPACE = (b" :", b"\t:", b"\n:", b"\r:")
_OUT_OF_RANGE = ("Number out of range", "Integer value out of range")
_JSON_TYPES = re.compile(
    r"(?i)\A\s*(?:application/(?:[\w.-]+\+)?json|text/(?!csv|html)|\*/\*|application/x-www-form-urlencoded|\Z)"
)


def decompress(body: bytes, coding: str, limit: int, room: int = sys.maxsize) -> bytes:
    """Return `body` without its content coding.

    Args:
        coding: the value of Content-Encoding.
        limit: bytes of the result; decompression stops there.
        room: bytes of the result that the allowance of the exchange covers; decompression stops there, too.

    Raises:
        SkipExchangeError: the coding is unknown, the body is damaged, or the result is larger than `limit`, `room`, or
            MAX_RATIO times `body`.
    """
    bounds = {"body_too_large": limit, "compression_ratio": max(ANY_RATIO_BYTES, MAX_RATIO * len(body))}
    reason, most = min({"decode_budget": room, **bounds}.items(), key=lambda item: item[1])
    codings = [part for part in (part.strip().lower() for part in coding.split(",")) if part not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise SkipExchangeError("content_encoding")
    for name in reversed(codings):
        if name not in _WINDOWS:
            raise SkipExchangeError("content_encoding")
        body = _inflate(body, _WINDOWS[name], most, reason)
    return body


def parse(decoder: msgspec.json.Decoder[T], text: bytes, headers: Headers) -> T:
    """Return `text` as parsed by `decoder`; accept what many servers accept beyond JSON.

    These are NaN, Infinity, numbers beyond a double, and a byte order mark at the start.

    Raises:
        SkipExchangeError: `text` is not JSON, or does not have the structure that `decoder` expects.
    """
    text = text.removeprefix(BOM_UTF8)
    try:
        return decoder.decode(text)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except UnicodeDecodeError:
        raise SkipExchangeError(_not_json(text, headers)) from None
    except msgspec.ValidationError as error:
        if not str(error).startswith(_OUT_OF_RANGE):
            raise SkipExchangeError(_other_structure(headers)) from None
    except msgspec.DecodeError:
        pass  # the lenient parser accepts NaN and Infinity
    return _parse_leniently(decoder, text, headers)


def require_unique_keys(body: bytes, keys: int, tree: object = None) -> None:
    """Raise SkipExchangeError if an object in `body` has a duplicate key. Servers differ in which value they use.

    Each key has one colon. If the body has as many colons as parsed keys, the parser dropped no key. The same holds if
    only the colons after a quote are counted, and no colon follows white space. Otherwise, a text contains a colon, or
    the body has a key that no decoder reads. Then a slower parser, which reports every pair, reads the body again.

    Args:
        body: the JSON text.
        keys: the number of parsed keys outside of `tree`.
        tree: parsed lists and objects.
    """
    colons = body.count(b":")
    if colons == keys:
        return
    if tree is not None:
        keys += _count_keys(tree, colons - keys)
        if colons == keys:
            return
    if body.count(b'":') == keys and not any(colon in body for colon in _COLONS_AFTER_SPACE):
        return
    try:
        json.loads(body, object_pairs_hook=_unique_pairs)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except ValueError:
        raise SkipExchangeError("invalid_json") from None


def _count_keys(tree: object, most: int) -> int:
    """Return the number of keys in all objects of `tree`. Stop at `most`, which the number cannot exceed."""
    level, found = [tree], 0
    while level:
        found += sum(len(node) for node in level if type(node) is dict)
        if found >= most:
            break
        inner = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, (dict, list)))
        level = [value for values in inner for value in values if type(value) in _NESTED]
    return found


def _inflate(body: bytes, windows: Sequence[int], limit: int, reason: str) -> bytes:
    """Return `body` decompressed; raise SkipExchangeError with `reason` if the result is larger than `limit`."""
    if not body.strip(b"\0"):
        return b""
    for window in windows:
        try:
            return inflate(body, limit, window)
        except OutputTooLargeError:
            raise SkipExchangeError(reason) from None
        except CutOffError:
            break
        except DamagedError:
            continue  # `deflate` has two forms: with and without a zlib header
    raise SkipExchangeError("content_encoding")


def _parse_leniently(decoder: msgspec.json.Decoder[T], text: bytes, headers: Headers) -> T:
    try:
        document = json.loads(text.decode())
        if b"\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()  # raises ValueError for half a surrogate pair
        return msgspec.convert(document, decoder.type)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except msgspec.ValidationError:
        raise SkipExchangeError(_other_structure(headers)) from None
    except ValueError:
        raise SkipExchangeError(_not_json(text, headers)) from None


def _not_json(text: bytes, headers: Headers) -> str:
    if text.startswith(_COMPRESSED):
        return "content_encoding"
    kind = headers.get(CONTENT_TYPE)
    return "invalid_json" if kind is None or _JSON_TYPES.match(kind) else "content_type"


def _other_structure(headers: Headers) -> str:
    """Return the reason for a body that parses as JSON: a row of CSV with one number does, for example."""
    return "content_type" if headers.begins(CONTENT_TYPE, b"text/csv") else "wrong_structure"


def _unique_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SkipExchangeError("duplicate_name")
    return found
