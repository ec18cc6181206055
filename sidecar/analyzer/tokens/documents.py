"""Finds the fields with token counts in a body: one JSON document, lines of JSON, server-sent events, or a cut body.

Bodies are untrusted and may be cut. A cut event stream is its beginning and its end, with a gap between two bytes; a
cut body of another kind may be the same. An object with a duplicate key is invalid, because readers differ in which
value they use. Only fields of the top level are read, and those of `response` and `message`, where OpenAI's and
Anthropic's streams have them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from ..decode.types import SkipExchangeError
from .counts import InvalidCountError

LENIENT_BYTES = 256 * 1024  # of a text that the slow parser reads, 10 ns a byte
END_BYTES = 8 * 1024  # of a cut body in which fields are looked for
# one of them is in each document with counts
MARKS = (b"usage", b"eval_count", b"meta_info", b"tokens_", b"generated_tokens", b"predicted_n")
_MARKED = re.compile(rb'usage(?!"\s*:\s*null)|eval_count|meta_info|tokens_|generated_tokens|predicted_n')
EDGE = 4
MOST_FIELDS = 16  # that are tried at the end of a cut body
MOST_RESULTS = 4096  # of one batch
FIELD_BYTES = 64 * 1024  # of one field, 0.2 us a byte
_OBJECTS = ("usage", "meta_info", "details", "timings")
_NUMBERS = ("prompt_eval_count", "eval_count", "tokens_evaluated", "tokens_predicted")
_OBJECT = re.compile(rf'(?<!\\)"({"|".join(_OBJECTS)})"\s*:\s*(?=\{{)')
_NUMBER = re.compile(rf'(?<!\\)"({"|".join(_NUMBERS)})"\s*:\s*([^\s,}}\]]+)')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?')
_EVENT_FIELD = re.compile(rb"\s*(?:data|event|id|retry)?:")
BUDGET = "budget"  # reason of a SkipExchangeError
_BOM = b"\xef\xbb\xbf"


class _Document(msgspec.Struct, gc=False):
    """The fields that are read; all others are skipped without being parsed."""

    usage: msgspec.Raw = msgspec.Raw()
    meta_info: msgspec.Raw = msgspec.Raw()
    details: msgspec.Raw = msgspec.Raw()
    timings: msgspec.Raw = msgspec.Raw()
    prompt_eval_count: msgspec.Raw = msgspec.Raw()
    eval_count: msgspec.Raw = msgspec.Raw()
    tokens_evaluated: msgspec.Raw = msgspec.Raw()
    tokens_predicted: msgspec.Raw = msgspec.Raw()
    embeddings: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    message: msgspec.Raw = msgspec.Raw()


_DOCUMENT: msgspec.json.Decoder[_Document | list[_Document]] = msgspec.json.Decoder(_Document | list[_Document])
_NESTED = ("response", "message")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidCountError
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


class NotJsonError(ValueError):
    """A text is not JSON."""


def single(text: bytes) -> list[dict[str, Any]]:
    """Return the fields of one JSON document; of each result if it is a list.

    Raises:
        NotJsonError: the text is not JSON.
        InvalidCountError: a field is damaged, or occurs twice.
        SkipExchangeError: a field, or the number of results, is too large.
    """
    text = text.removeprefix(_BOM)
    try:
        found = _DOCUMENT.decode(text)
    except msgspec.ValidationError:
        return []  # JSON of another structure
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _lenient(text)
    if isinstance(found, list):
        if len(found) > MOST_RESULTS:
            raise SkipExchangeError(BUDGET)
        return [_fields(each) for each in found]
    told = _fields(found)
    if any(text.count(b'"%b"' % name.encode()) > 1 for name in told):
        return _lenient(text)  # perhaps a duplicate key, perhaps one within another object
    return [told]


def lines(text: bytes) -> dict[str, Any]:
    """Return the fields of the lines that are JSON; later lines replace fields of earlier ones."""
    return _merged(_edges([line for line in text.splitlines() if _marked(line)]))


def events(text: bytes) -> dict[str, Any]:
    """Return the fields of the server-sent events that are JSON (WHATWG HTML, 9.2); later ones replace earlier ones.

    An event that the end of the body cuts off counts if its data is JSON.
    """
    return _merged(map(_data, _edges([event for event in _events(text) if _marked(event)])))


def data_of_events(text: bytes) -> Iterator[bytes]:
    """Yield the data of each server-sent event."""
    return map(_data, _events(text))


def cut_stream(text: bytes) -> dict[str, Any]:
    """Return the fields of a cut event stream: those of its events, replaced by the last ones near its end.

    Without fields near its end there are none, because those at its beginning are not final.
    """
    last = end(text, stream=True)
    return _combined(events(text), last) if last else {}


def end(text: bytes, *, stream: bool = False) -> dict[str, Any]:
    """Return the last fields with counts near the end of a cut body, of which the beginning is missing.

    A quotation mark within a JSON string follows a backslash, so a text that a model wrote cannot look like a field. An
    object that it wrote, such as the arguments of a tool, is deeper in the document than a field of the server. In an
    event of a `stream`, `usage` may also be within `response` or `message`.
    """
    told: dict[str, Any] = {"embeddings": True} if b'"embeddings"' in text else {}
    # of the same length as the bytes; what is read from it is ASCII
    tail = text[-END_BYTES:].decode("latin-1")
    done = 0
    for field in list(_OBJECT.finditer(tail))[-MOST_FIELDS:]:
        if field.start() < done:
            continue  # within the field before
        try:
            value, done = _DECODER.raw_decode(tail, field.end())
        except InvalidCountError:
            raise
        except (ValueError, RecursionError):
            continue  # the field itself is cut off
        if 1 <= _depth(tail, done, stream=stream) <= (2 if stream and field[1] == "usage" else 1):
            told[field[1]] = _known(value)
    for field in list(_NUMBER.finditer(tail))[-MOST_FIELDS:]:
        if _depth(tail, field.end(), stream=stream) == 1:
            told[field[1]] = _value(field[2].encode("latin-1"))
    return told


def _depth(text: str, after: int, *, stream: bool) -> int:
    """Return in how many objects a field is that ends at `after`, by the brackets that follow; 0 if in a list, too."""
    line = text.find("\n", after) if stream else -1
    rest = _STRING.sub("", text[after:line] if line >= 0 else text[after:])
    return rest.count("}") - rest.count("{") if rest.count("]") == rest.count("[") else 0


def looks_like_events(text: bytes) -> bool:
    """Return whether a text begins like server-sent events."""
    return _EVENT_FIELD.match(text.removeprefix(_BOM)) is not None


def _events(text: bytes) -> list[bytes]:
    return text.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n\n")


def _marked(text: bytes) -> bool:
    return _MARKED.search(text) is not None


def _edges(documents: list[bytes]) -> list[bytes]:
    """Return the first and the last documents with counts. Counts are of the whole stream so far, so others are old."""
    return documents if len(documents) <= 2 * EDGE else documents[:EDGE] + documents[-EDGE:]


def _data(event: bytes) -> bytes:
    """Return the data of an event; its lines are joined, and comments and other fields are left out."""
    return b"\n".join(line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:"))


def _merged(documents: Iterable[bytes]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for document in documents:
        try:
            found = single(document)
        except NotJsonError:
            continue  # `[DONE]`, or the event at the gap of a cut stream
        for fields in found[:1]:
            told = _combined(told, fields)
    return told


def _combined(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of both; those of `after` replace the others, within objects, too."""
    told = dict(before)
    for name, value in after.items():
        old = told.get(name)
        told[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return told


def _fields(document: _Document) -> dict[str, Any]:
    told = {
        name: value
        for name in (*_OBJECTS, *_NUMBERS)
        if (value := _known(_value(bytes(getattr(document, name))))) is not None
    }
    if bytes(document.embeddings):
        told["embeddings"] = True
    for name in _NESTED:
        raw = bytes(getattr(document, name))
        if raw.startswith(b"{") and b'"usage"' in raw and "usage" not in told:
            told |= _nested(name, single(raw)[0])
    return told


def _nested(name: str, inner: dict[str, Any]) -> dict[str, Any]:
    """Return the usage within `response` or `message`. The completion of a message that begins is not final."""
    usage = inner.get("usage")
    if not isinstance(usage, dict):
        return {}
    return {"usage": {key: value for key, value in usage.items() if name != "message" or key != "output_tokens"}}


def _known(value: Any) -> Any:
    """Return a value without the fields that are null, so that they do not replace earlier counts."""
    return {key: inner for key, inner in value.items() if inner is not None} if isinstance(value, dict) else value


def _value(raw: bytes) -> Any:
    """Return the value of a field; None for an absent one."""
    if not raw:
        return None
    if len(raw) > FIELD_BYTES:
        raise SkipExchangeError(BUDGET)
    try:
        return json.loads(raw, object_pairs_hook=_unique)
    except InvalidCountError:
        raise
    except (ValueError, RecursionError):
        raise InvalidCountError from None


def _lenient(text: bytes) -> list[dict[str, Any]]:
    """Read a text that has NaN, a number out of range, or perhaps a duplicate key."""
    if len(text) > LENIENT_BYTES:
        raise InvalidCountError
    try:
        tree = json.loads(text, object_pairs_hook=_unique)
    except InvalidCountError:
        raise
    except (ValueError, RecursionError):
        raise NotJsonError from None
    found = tree if isinstance(tree, list) else [tree]
    return [_tree_fields(each) for each in found if isinstance(each, dict)]


def _tree_fields(tree: dict[str, Any]) -> dict[str, Any]:
    told = {name: _known(tree[name]) for name in (*_OBJECTS, *_NUMBERS) if tree.get(name) is not None}
    if tree.get("embeddings") is not None:
        told["embeddings"] = True
    for name in _NESTED:
        inner = tree.get(name)
        if isinstance(inner, dict) and "usage" not in told:
            told |= _nested(name, _tree_fields(inner))
    return told
