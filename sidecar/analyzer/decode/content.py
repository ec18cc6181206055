"""From a body to JSON: the content coding undone within a bound, the text parsed, duplicate keys found."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from ...system.gunzip import GZIP, RAW, ZLIB, CutOffError, DamagedError, TooLargeError, inflate
from ...wire.headers import Headers
from .headers import CONTENT_TYPE
from .types import SkipExchangeError

T = TypeVar("T")

MOST_CODINGS = 3
_WINDOWS = {"deflate": (ZLIB, RAW), "gzip": (GZIP,), "x-gzip": (GZIP,)}
_NESTED = frozenset((dict, list))
_BEHIND_SPACE = (b" :", b"\t:", b"\n:", b"\r:")
_OUT_OF_RANGE = ("Number out of range", "Integer value out of range")
_JSON_TYPES = re.compile(
    r"(?i)\A\s*(?:application/(?:[\w.-]+\+)?json|text/|\*/\*|application/x-www-form-urlencoded|\Z)"
)


def uncode(body: bytes, coding: str, limit: int) -> bytes:
    """Return `body` without its content coding, at most `limit` bytes of it; more is declined, never unpacked."""
    codings = [part for part in (part.strip().lower() for part in coding.split(",")) if part not in ("", "identity")]
    if len(codings) > MOST_CODINGS:
        raise SkipExchangeError("content_encoding")
    for name in reversed(codings):
        if name not in _WINDOWS:
            raise SkipExchangeError("content_encoding")
        body = _inflate(body, _WINDOWS[name], limit)
    return body


def parse(decoder: msgspec.json.Decoder[T], text: bytes, headers: Headers) -> T:
    """Return what `decoder` makes of `text`; NaN, Infinity and huge numbers pass, as many servers let them."""
    try:
        return decoder.decode(text)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except UnicodeDecodeError:
        raise SkipExchangeError(_no_json(headers)) from None
    except msgspec.ValidationError as error:
        if not str(error).startswith(_OUT_OF_RANGE):
            raise SkipExchangeError("wrong_structure") from None
    except msgspec.DecodeError:
        pass  # what follows reads more than the standard allows
    return _parse_leniently(decoder, text, headers)


def require_unique_keys(body: bytes, keys: int, tree: object = None) -> None:
    """Decline a body in which an object has a key twice, as servers pick either; `keys` is how many were parsed.

    Each key has one colon, so as many colons as keys proves that none was lost; so do as many colons behind a quote, if
    none stands behind white space. `tree` holds objects whose inner keys are not among `keys` yet. Otherwise (a text
    much like a key, a key that no decoder asks for) the body is read again by a slower parser that shows every pair.
    """
    colons = body.count(b":")
    if colons == keys:
        return
    if tree is not None:
        keys += _inner_keys(tree, isinstance(tree, dict))
        if colons == keys:
            return
    if body.count(b'":') == keys and not any(behind in body for behind in _BEHIND_SPACE):
        return
    try:
        json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except ValueError:
        raise SkipExchangeError("invalid_json") from None


def _inner_keys(value: object, depth: int) -> int:
    """Return how many keys the objects in rows (level 1 of a list) or in columns (level 1 of an object) have."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = len(value) if isinstance(value, dict) and depth > 1 else 0
    return own + sum(_inner_keys(item, depth + 1) for item in inner if type(item) in _NESTED)


def _inflate(body: bytes, windows: Sequence[int], limit: int) -> bytes:
    if not body.strip(b"\0"):
        return b""
    for window in windows:
        try:
            return inflate(body, limit, window)
        except TooLargeError:
            raise SkipExchangeError("body_too_large") from None
        except CutOffError:
            break
        except DamagedError:
            continue  # `deflate` is sent in two forms
    raise SkipExchangeError("content_encoding")


def _parse_leniently(decoder: msgspec.json.Decoder[T], text: bytes, headers: Headers) -> T:
    try:
        document = json.loads(text.decode())
        if b"\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()  # refuses half a surrogate pair, which no server can use
        return msgspec.convert(document, decoder.type)
    except RecursionError:
        raise SkipExchangeError("too_deep") from None
    except msgspec.ValidationError:
        raise SkipExchangeError("wrong_structure") from None
    except ValueError:
        raise SkipExchangeError(_no_json(headers)) from None


def _no_json(headers: Headers) -> str:
    kind = headers.get(CONTENT_TYPE)
    return "invalid_json" if kind is None or _JSON_TYPES.match(kind) else "content_type"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise SkipExchangeError("duplicate_name")
    return found
