"""What a request with labels says, and what it is answered."""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeAlias

import msgspec

Scalar: TypeAlias = bool | int | float | str

DIRECT, DUPLICATE, INVALID, JOINED, LATE, UNKNOWN = "direct", "duplicate", "invalid", "joined", "late", "unknown"
OUTCOMES = (DIRECT, DUPLICATE, INVALID, JOINED, LATE, UNKNOWN)
MAX_LISTED_PROBLEMS = 10
MAX_ID_LENGTH = 128  # characters of an id that are looked at, as of those that the traffic carries


class Label(NamedTuple):
    """One label. `item` is the number of the item that it came in; `key` is 0 where nothing tells a repetition.

    `whole` is how many labels its item has for the request, 0 where it names its row. With `direct` it brings its
    `prediction`, and perhaps `score` and `time` (epoch s), and is joined to nothing.
    """

    item: int
    key: int
    row: int
    label: Scalar
    whole: int = 0
    direct: bool = False
    prediction: Scalar | None = None
    score: float | None = None
    time: float | None = None


class ItemProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a label was not taken: which item, where in it, what and how to mend it."""

    index: int
    problem: str
    path: str = ""


class LabelBatch(msgspec.Struct, frozen=True):
    """The labels of one request; `invalid` more could not be read, for the `problems` listed."""

    labels: tuple[Label, ...]
    invalid: int = 0
    problems: tuple[ItemProblem, ...] = ()


class FeedbackResponse(msgspec.Struct, frozen=True, kw_only=True):
    """How many labels met which outcome, how many of them are judged, and the first problems."""

    joined: int = 0
    direct: int = 0
    late: int = 0
    duplicate: int = 0
    unknown: int = 0
    invalid: int = 0
    judged: int = 0
    note: str = ""
    problems: tuple[ItemProblem, ...] = ()


def request_key(text: str) -> int:
    """Return the key of a request id: 64 bits of BLAKE2b, never 0."""
    raw = text[:MAX_ID_LENGTH].encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little") or 1


def delivery_key(*parts: str) -> int:
    """Return the key of a delivery, from what its sender says to be the same in each attempt."""
    digest = hashlib.blake2b(digest_size=8, person=b"delivery")
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "little") + raw)
    return int.from_bytes(digest.digest(), "little") or 1
