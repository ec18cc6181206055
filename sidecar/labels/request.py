"""Parse the body of `POST /v1/feedback` into labels.

The content type selects the form: one item, a batch, JSON lines, or CloudEvents. A body without a known form is refused
as a whole. An item that cannot be read counts as invalid, and the other items are accepted. The body is untrusted:
`MAX_BODY_BYTES` and `MAX_LABELS` bound the work.
"""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from ..errors import RefusedError, quote_value
from . import cloudevents as events
from . import items
from .items import MAX_LABELS, ItemError, TooManyLabelsError
from .labels import MAX_LISTED_PROBLEMS, ItemProblem, Label, LabelBatch, delivery_key

T = TypeVar("T")

MAX_BODY_BYTES = 4 * 2**20
MAX_COMMAS = 32 * MAX_LABELS  # an element of a parsed list takes 64 bytes, although its text may have two
LINES = ("application/jsonl", "application/x-jsonlines", "application/x-ndjson")
FORMS = (
    f"application/json, {', '.join(LINES)}, {events.STRUCTURED}, {events.BATCHED}, or a CloudEvent in binary mode with "
    "JSON in it"
)
HINT = 'give {"id": ..., "row": ..., "label": ...}, {"id": ..., "labels": [...]} or {"feedback": [...]}'


class FeedbackError(RefusedError):
    """Nothing in the body can be accepted."""


class TooLargeError(FeedbackError):
    """The body is too long, or has too many labels, for one request."""

    status = 413


class _Batch(msgspec.Struct):
    feedback: list[msgspec.Raw]


_BATCH = msgspec.json.Decoder(_Batch)
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(body: bytes, content_type: str, headers: Mapping[str, str]) -> LabelBatch:
    """Return the labels in `body`.

    Args:
        body: the decompressed body.
        content_type: the value of Content-Type.
        headers: a mapping whose lookup ignores case.

    Raises:
        FeedbackError: nothing in the body can be accepted.
        TooLargeError: the body exceeds a limit.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"the body has {len(body)} bytes; send at most {MAX_BODY_BYTES} in one request")
    if body.count(b",") > MAX_COMMAS:
        raise TooLargeError(f"the body has more than {MAX_COMMAS} commas; send fewer items in one request")
    collector = _Collector()
    try:
        for path, raw, delivery in _parts(body.removeprefix(BOM_UTF8), content_type, headers):
            collector.add(path, raw, delivery)
    except ItemError as error:
        raise FeedbackError(f"{error.path or 'the body'} {error.problem}") from None
    except TooManyLabelsError:
        raise TooLargeError(f"more than {MAX_LABELS} labels; send them in several requests") from None
    return collector.labels()


def _parts(body: bytes, content_type: str, headers: Mapping[str, str]) -> Iterator[tuple[str, bytes | ItemError, int]]:
    """Yield path, data and delivery key of each part. Lines and batches of events have several parts."""
    kind = content_type.partition(";")[0].strip().lower()
    idempotency_key = headers.get("Idempotency-Key", "")
    delivery = delivery_key(idempotency_key) if idempotency_key else 0
    if kind == events.BATCHED:
        batch: list[msgspec.Raw] = _decoded(_LIST, body, "give a JSON array of CloudEvents")
        for index, raw in enumerate(batch):
            yield _event(f"$[{index}]", bytes(raw))
    elif kind == events.STRUCTURED:
        yield _event("$", body)
    elif kind in LINES:
        for index, line in enumerate(body.split(b"\n")):
            if line.strip():
                yield f"line {index + 1}: $", line, delivery
    elif events.is_json(kind) and events.is_binary(headers):
        yield "$", body, events.binary(headers)
    elif events.is_json(kind):
        yield "$", body, delivery
    else:
        raise FeedbackError(f"the content type is {quote_value(content_type)}; give {FORMS}")


def _event(path: str, raw: bytes) -> tuple[str, bytes | ItemError, int]:
    try:
        data, delivery = events.structured(raw)
    except ItemError as error:
        return path, error, 0
    return f"{path}.data", data, delivery


class _Collector:
    """Collects labels and problems; numbers the items of the whole request."""

    def __init__(self) -> None:
        self._labels: list[Label] = []
        self._problems: list[ItemProblem] = []
        self._invalid = 0
        self._index = 0
        self._positions: dict[int, int] = {}

    def add(self, path: str, raw: bytes | ItemError, delivery: int) -> None:
        """Add one part of the request: an item or a batch of items."""
        if isinstance(raw, ItemError):
            self._add_problem(path, raw)
            return
        batch = _batch_items(raw)
        if batch is None:
            self._item(path, raw, delivery)
            return
        for index, item in enumerate(batch):
            self._item(f"{path}.feedback[{index}]", bytes(item), delivery)

    def labels(self) -> LabelBatch:
        """Return the collected labels; raise FeedbackError if there were no items."""
        if not self._labels and not self._invalid and not self._index:
            raise FeedbackError(f"the body holds no feedback; {HINT}")
        return LabelBatch(tuple(self._labels), self._invalid, tuple(self._problems))

    def _item(self, path: str, raw: bytes, delivery: int) -> None:
        position = self._positions.get(delivery, 0)
        self._positions[delivery] = position + 1
        try:
            found = items.read(raw, self._index, delivery, position)
        except ItemError as error:
            self._add_problem(path, error)
            return
        if len(self._labels) + len(found) > MAX_LABELS:
            raise TooLargeError(f"more than {MAX_LABELS} labels; send them in several requests")
        self._labels += found
        self._index += 1

    def _add_problem(self, path: str, error: ItemError) -> None:
        self._invalid += 1
        if self._invalid > MAX_LABELS:
            raise TooLargeError(f"more than {MAX_LABELS} items; send them in several requests")
        if len(self._problems) < MAX_LISTED_PROBLEMS:
            self._problems.append(ItemProblem(self._index, error.problem, path + error.path))
        self._index += 1


def _batch_items(raw: bytes) -> list[msgspec.Raw] | None:
    """Return the items of a batch; None if `raw` is not a batch."""
    if b'"feedback"' not in raw:
        return None
    try:
        keys = _OBJECT.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if "feedback" not in keys:
        return None
    for key in keys:
        if key != "feedback":
            raise ItemError(f"$.{key}"[:80], 'does not go with feedback; give only {"feedback": [...]}')
    if raw.count(b'"feedback"') > 1 or b"\\u" in raw:  # otherwise no second key can have this name
        items.require_unique_keys(raw, len(keys), "$")
    return _decoded(_BATCH, raw, 'give {"feedback": [...]}').feedback


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes, remedy: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FeedbackError(f"the body is not of this form; {remedy}") from None
