"""Labels of one request, the response to it, and the keys that identify labels.

`request.py` and `items.py` create labels, and `joiner.py` joins them. Keys are in the journal and in retired segments:
do not change how they are computed.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple, TypeAlias

import msgspec

Scalar: TypeAlias = bool | int | float | str

DIRECT, DUPLICATE, INVALID, JOINED, LATE, UNKNOWN = "direct", "duplicate", "invalid", "joined", "late", "unknown"
OUTCOMES = (DIRECT, DUPLICATE, INVALID, JOINED, LATE, UNKNOWN)
MAX_LISTED_PROBLEMS = 10
MAX_ID_LENGTH = 128  # characters of an id that count, as for ids in traffic (decode/headers.py)


class Label(NamedTuple):
    """One label.

    Attributes:
        item: number of its item in the request.
        key: key of the request id or of the delivery; 0 if a repetition cannot be recognised.
        row: number of the row in the request, or of the item in the delivery.
        label: the true value.
        whole: number of labels in a list with one label per row; 0 for a single label.
        direct: whether the label carries its prediction, so that it is not joined.
        prediction: only with `direct`.
        score: only with `direct`; optional.
        time: time of the prediction, epoch seconds; only with `direct`, optional.
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
    """Why an item or a label was not accepted: number of the item, path in it, and problem with remedy."""

    index: int
    problem: str
    path: str = ""


class LabelBatch(msgspec.Struct, frozen=True):
    """The labels of one request, the number of items that could not be read, and the first problems."""

    labels: tuple[Label, ...]
    invalid: int = 0
    problems: tuple[ItemProblem, ...] = ()


class FeedbackResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The response: labels per outcome, number of scored labels (`judged`), and the first problems.

    `each` has one byte per label, in order: the index of its outcome in OUTCOMES. Clients do not get it.
    """

    joined: int = 0
    direct: int = 0
    late: int = 0
    duplicate: int = 0
    unknown: int = 0
    invalid: int = 0
    judged: int = 0
    note: str = ""
    problems: tuple[ItemProblem, ...] = ()
    each: bytes = b""

    def shown(self) -> dict[str, Any]:
        """Return what a client gets."""
        found: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(self, each=b""))
        del found["each"]
        return found


def request_key(text: str) -> int:
    """Return the key of a request id: 64 bits of BLAKE2b, never 0."""
    raw = text[:MAX_ID_LENGTH].encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little") or 1


def delivery_key(*parts: str) -> int:
    """Return the key of a delivery, from the parts that are the same in each attempt of the client."""
    digest = hashlib.blake2b(digest_size=8, person=b"delivery")
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "little") + raw)
    return int.from_bytes(digest.digest(), "little") or 1
