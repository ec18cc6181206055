"""Parse one item of feedback into labels. Unknown keys and wrong types are errors.

    {"id": "...", "row": 0, "label": 1}           one row of a request; the default of row is 0
    {"id": "...", "labels": [1, null, 0]}         one label per row of the request; null: no label yet
    {"label": 1, "prediction": 0, "score": 0.2}   a label with its prediction; id, row and time are optional

`request.py` splits a request into items. Every key needs an entry in `REMEDIES`: errors quote it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, TypeAlias

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..errors import quote_value
from .duplicates import duplicate_key
from .labels import Label, Scalar, request_key

MAX_LABELS = 20_000  # in one request
MAX_ROW = 10**6
MAX_TIME = 1e11  # epoch seconds
MAX_TEXT_LENGTH = 256
_Text: TypeAlias = Annotated[str, Meta(max_length=MAX_TEXT_LENGTH)]
_Value: TypeAlias = bool | int | float | _Text
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`")
_KEY = re.compile(r"Object contains unknown field `(?P<key>.{0,80})", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
REMEDIES = {
    "id": "give the request's id as text of 1 to 1024 characters",
    "label": f"give a number, a boolean or a text of at most {MAX_TEXT_LENGTH} characters; omit rows without a label",
    "labels": "give a list with one label per row of the request, and null for rows without a label",
    "prediction": "give the prediction of the model: a number, a boolean or a text",
    "row": f"give the row's number in the request, from 0 to {MAX_ROW}",
    "score": "give the score as a number",
    "time": "give the time of the prediction: RFC 3339 text with a time zone, or epoch seconds",
}
KEYS = ", ".join(REMEDIES)
PARSE_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NOT_JSON = "is not JSON in UTF-8; give an object with id, row and label"


class TooManyLabelsError(Exception):
    """The item alone has more labels than one request may have."""


class ItemError(Exception):
    """An item cannot be read.

    Attributes:
        path: path of the wrong value within the item.
        problem: what is wrong, and the remedy.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """An item of the JSON."""

    id: Annotated[str, Meta(min_length=1, max_length=1024)] | UnsetType = UNSET
    row: Annotated[int, Meta(ge=0, le=MAX_ROW)] | UnsetType = UNSET
    label: _Value | UnsetType = UNSET
    labels: list[_Value | None] | UnsetType = UNSET
    prediction: _Value | UnsetType = UNSET
    score: float | UnsetType = UNSET
    time: Annotated[str, Meta(max_length=64)] | float | UnsetType = UNSET


_DECODER = msgspec.json.Decoder(Item)


def read(raw: bytes, index: int, delivery: int, position: int) -> list[Label]:
    """Return the labels of one item.

    Args:
        raw: the JSON of the item.
        index: number of the item in the request.
        delivery: key of the delivery, which identifies labels without a request id; 0 without one.
        position: number of earlier items in the same delivery.

    Raises:
        ItemError: the item cannot be read.
        TooManyLabelsError: it has more than `MAX_LABELS` labels.
    """
    try:
        item = _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), raw) from None
    except PARSE_ERRORS:
        raise ItemError("", NOT_JSON) from None
    require_unique_keys(raw, sum(getattr(item, name) is not UNSET for name in Item.__struct_fields__))
    if isinstance(item.labels, list):
        return _listed(item, item.labels, index)
    return [_single(item, index, delivery, position)]


def require_unique_keys(raw: bytes, keys: int, path: str = "") -> None:
    """Raise ItemError if the object in `raw` at `path`, parsed to `keys` keys, has a key twice.

    Each key has one colon, so an object without further colons needs no second look.
    """
    if raw.count(b":") == keys:
        return
    try:
        twice = duplicate_key(raw)
    except (ValueError, RecursionError):
        raise ItemError("", NOT_JSON) from None
    if twice is not None:
        raise ItemError(f"{path}.{twice}"[:80], "is given twice; give each key once")


def _single(item: Item, index: int, delivery: int, position: int) -> Label:
    if item.label is UNSET:
        raise ItemError("", f"has neither label nor labels; {REMEDIES['label']}")
    row = 0 if item.row is UNSET else item.row
    named = item.id is not UNSET
    if item.prediction is UNSET:
        if not named:
            raise ItemError("", "has no id; give the request's id, or the prediction of the label")
        for name in ("score", "time"):
            if getattr(item, name) is not UNSET:
                raise ItemError(f".{name}", "needs a prediction; give prediction and id, or only the id")
        return Label(index, request_key(str(item.id)), row, _scalar(item.label, ".label"))
    return Label(
        item=index,
        key=request_key(str(item.id)) if named else delivery,
        row=row if named else position,
        label=_scalar(item.label, ".label"),
        direct=True,
        prediction=_scalar(item.prediction, ".prediction"),
        score=None if item.score is UNSET else float(item.score),
        time=None if item.time is UNSET else _time(item.time),
    )


def _listed(item: Item, values: list[Scalar | None], index: int) -> list[Label]:
    for name in ("label", "prediction", "row", "score", "time"):
        if getattr(item, name) is not UNSET:
            raise ItemError(f".{name}", "does not go with labels; give one item per row instead")
    if item.id is UNSET:
        raise ItemError("", f"has labels and no id; {REMEDIES['id']}")
    key, whole = request_key(item.id), len(values)
    if whole - values.count(None) > MAX_LABELS:
        raise TooManyLabelsError
    return [
        Label(index, key, row, _scalar(value, f".labels[{row}]"), whole)
        for row, value in enumerate(values)
        if value is not None
    ]


def _scalar(value: Scalar | UnsetType, path: str) -> Scalar:
    assert value is not UNSET
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise ItemError(path, f"is {quote_value(value)}; give a number that fits in 64 bits")
    return value


def _time(value: str | float) -> float:
    """Return epoch seconds; raise ItemError for times before 1970, far in the future, or without a time zone."""
    at = _parsed(value) if isinstance(value, str) else value
    if not 0 <= at < MAX_TIME:
        raise ItemError(".time", f"is {quote_value(value)}; {REMEDIES['time']}")
    return float(at)


def _parsed(text: str) -> float:
    """Return epoch seconds; -1 for a text that is not a time or has no time zone."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return -1.0
    return parsed.timestamp() if parsed.tzinfo is not None else -1.0


def _invalid(text: str, raw: bytes) -> ItemError:
    """Return an error with path, value and remedy for a validation error of msgspec."""
    if unknown := _KEY.match(text):
        return ItemError(f".{unknown['key'].removesuffix('`')}", f"is not a known key; known here: {KEYS}")
    at = _AT.search(text)
    path = at["path"] if at else ""
    if not path:
        return ItemError("", f"is not an item of feedback ({text[:80]}); give an object with id, row and label")
    name = path.lstrip(".").partition("[")[0]
    try:
        value = _value_at(raw, path)
    except PARSE_ERRORS:  # the text after the wrong value is not JSON
        return ItemError("", NOT_JSON)
    return ItemError(path, f"is {quote_value(value)}; {REMEDIES.get(name, KEYS)}")


def _value_at(raw: bytes, path: str) -> object:
    """Return the value at a path of msgspec. For a path with an unknown index (`[...]`), return the whole list."""
    value: object = msgspec.json.decode(raw)
    for name, number in _STEP.findall(path):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and number and int(number) < len(value):
            value = value[int(number)]
    return value
