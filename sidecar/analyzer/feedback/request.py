"""From the body of `POST /v1/feedback` to labels: which form it has, and each item on its own.

A body that is no form at all is refused whole. In a batch an item that cannot be read is counted as invalid, and the
others are taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from ...errors import quote_value
from ..errors import RefusedError
from . import cloudevents as events
from . import items
from .items import ItemError
from .labels import MAX_LISTED_PROBLEMS, ItemProblem, Label, LabelBatch, delivery_key

T = TypeVar("T")

MAX_BODY_BYTES = 4 * 2**20
MAX_LABELS = 20_000
LINES = ("application/jsonl", "application/x-jsonlines", "application/x-ndjson")
FORMS = (
    f"application/json, {', '.join(LINES)}, {events.STRUCTURED}, {events.BATCHED}, or a CloudEvent in binary mode with "
    "JSON in it"
)
HINT = 'give {"id": ..., "row": ..., "label": ...}, {"id": ..., "labels": [...]} or {"feedback": [...]}'


class FeedbackError(RefusedError):
    """A body of which nothing can be taken."""


class TooLargeError(FeedbackError):
    """A body that is longer, or holds more labels, than is taken at once."""

    status = 413


class _Batch(msgspec.Struct):
    feedback: list[msgspec.Raw]


_BATCH = msgspec.json.Decoder(_Batch)
_LIST: msgspec.json.Decoder[list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read(body: bytes, content_type: str, headers: Mapping[str, str]) -> LabelBatch:
    """Return the labels in `body`; `headers` by any case. FeedbackError when nothing of it can be taken."""
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"the body has {len(body)} bytes; send {MAX_BODY_BYTES} at most in one request")
    reading = _Reading()
    try:
        for path, raw, delivery in _parts(body, content_type, headers):
            reading.data(path, raw, delivery)
    except ItemError as error:
        raise FeedbackError(f"{error.path or 'the body'} {error.problem}") from None
    return reading.labels()


def _parts(body: bytes, content_type: str, headers: Mapping[str, str]) -> Iterator[tuple[str, bytes | ItemError, int]]:
    """Yield path, data and delivery key of each part: one, but for lines and batches of events."""
    kind = content_type.partition(";")[0].strip().lower()
    repeated = headers.get("Idempotency-Key", "")
    delivery = delivery_key(repeated) if repeated else 0
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


class _Reading:
    """Items numbered over the whole request, labels and problems gathered."""

    def __init__(self) -> None:
        self._labels: list[Label] = []
        self._problems: list[ItemProblem] = []
        self._invalid = 0
        self._index = 0
        self._delivered: dict[int, int] = {}

    def data(self, path: str, raw: bytes | ItemError, delivery: int) -> None:
        """Take one part: an item, or a batch of them."""
        if isinstance(raw, ItemError):
            self._refuse(path, raw)
            return
        batch = _feedback(raw)
        if batch is None:
            self._item(path, raw, delivery)
            return
        for index, item in enumerate(batch):
            self._item(f"{path}.feedback[{index}]", bytes(item), delivery)

    def labels(self) -> LabelBatch:
        """Return what was read; FeedbackError when it is nothing."""
        if not self._labels and not self._invalid and not self._index:
            raise FeedbackError(f"the body holds no feedback; {HINT}")
        return LabelBatch(tuple(self._labels), self._invalid, tuple(self._problems))

    def _item(self, path: str, raw: bytes, delivery: int) -> None:
        position = self._delivered.get(delivery, 0)
        self._delivered[delivery] = position + 1
        try:
            found = items.read(raw, self._index, delivery, position)
        except ItemError as error:
            self._refuse(path, error)
            return
        if len(self._labels) + len(found) > MAX_LABELS:
            raise TooLargeError(f"more than {MAX_LABELS} labels; send them in several requests")
        self._labels += found
        self._index += 1

    def _refuse(self, path: str, error: ItemError) -> None:
        self._invalid += 1
        if self._invalid > MAX_LABELS:
            raise TooLargeError(f"more than {MAX_LABELS} items; send them in several requests")
        if len(self._problems) < MAX_LISTED_PROBLEMS:
            self._problems.append(ItemProblem(self._index, error.problem, path + error.path))
        self._index += 1


def _feedback(raw: bytes) -> list[msgspec.Raw] | None:
    """Return the items of a batch, None where `raw` is no batch."""
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
            raise ItemError(f"$.{key}"[:80], 'does not go with feedback; give {"feedback": [...]} alone')
    return _decoded(_BATCH, raw, 'give {"feedback": [...]}').feedback


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes, remedy: str) -> T:
    try:
        return decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FeedbackError(f"the body is not of this form; {remedy}") from None
