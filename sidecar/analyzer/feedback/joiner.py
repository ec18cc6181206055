"""Join labels to predictions, and decide the outcome of each label.

    duplicate  the row already has a label
    direct     the label carries its prediction
    unknown    no exchange has this request id
    late       the exchange is older than `spec.feedback.keep`, or was removed to make room
    invalid    the exchange has no such row, or the number of labels is wrong
    joined     the exchange is stored

The joiner changes only the store. `component.py` counts the outcomes. A stored prediction is scored only
with the profile under which it was stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ....detectors.profile.profile import Profile
from ...errors import number
from ...labels.labels import (
    DIRECT,
    DUPLICATE,
    INVALID,
    JOINED,
    LATE,
    MAX_LISTED_PROBLEMS,
    OUTCOMES,
    UNKNOWN,
    FeedbackResponse,
    ItemProblem,
    Label,
    LabelBatch,
    request_key,
)
from ..decode import DecodedExchange
from .frames import LabelEvent, SegmentHeader, StoredExchange
from .segment import dedup_key
from .store import Lookup, PredictionStore

NO_PROFILE = "labels are counted but not scored: no profile is in force"
NO_LABEL = "labels are counted but not scored: the profile was built without a label column (profile build --label)"
UNKNOWN_TEXT = (
    "no exchange with this id is known: it was not measured, has a different id, or is too old; see docs/feedback.md"
)
LATE_TEXT = "the exchange with this id is not kept any more; increase spec.feedback.keep or maxRows"

_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}

Columns = dict[str, list[object]]


class LabelJoiner:
    """Stores predictions, and joins labels to them. `use_profile` selects the columns to store.

    Attributes:
        store: the stored predictions.
        reason: why labels are counted but not scored; empty if they are scored.
        reason_key: the same as a key of `UNUSED_REASONS`.
    """

    def __init__(self, store: PredictionStore) -> None:
        self.store = store
        self.reason = NO_PROFILE
        self.reason_key = "no_profile"
        self._profile: Profile | None = None
        self._columns: tuple[str, ...] = ()

    def use_profile(self, profile: Profile | None) -> None:
        """Store from now on the columns that `profile` needs to score labels."""
        self._profile = profile
        performance = profile.performance if profile is not None else None
        self.reason = "" if performance else NO_LABEL if profile else NO_PROFILE
        self.reason_key = "" if performance else "no_label_column" if profile else "no_profile"
        wanted = (performance.prediction, performance.score) if performance else ()
        self._columns = tuple(dict.fromkeys(name for name in wanted if name))
        self.store.use_header(SegmentHeader(profile.hash if profile else "", self._columns))

    def keep(self, decoded: DecodedExchange, at: float) -> bool:
        """Store the predictions of an exchange `at` (epoch s). Return False if another exchange has its id."""
        outputs = decoded.outputs
        if outputs is None:
            return True
        self.store.count_predicted(outputs.count, at)
        first, second = decoded.request_id, decoded.response_id
        if first is None and second is None:
            return True
        keys = [request_key(name) for name in (first, second) if name is not None]
        cells = (outputs.columns.get(name) for name in self._columns)
        values = [found if type(found) is list else None for found in cells]
        return self.store.keep(keys[0], keys[1] if len(keys) > 1 else 0, at, outputs.count, values)

    def has_unknown_exchange(self, labels: LabelBatch, now: float) -> bool:
        """Return whether a label has an unknown request id. That exchange may not have been counted yet."""
        keys = [label.key for label in labels.labels if not label.direct]
        return bool(keys) and None in self.store.find(keys, now)

    def join(self, labels: LabelBatch, now: float) -> tuple[LabelEvent, FeedbackResponse]:
        """Join labels that arrived `now` (epoch s), and update the store. Return the label event and the response."""
        batch = JoinBatch(self, labels, now)
        event = batch.event()
        self.store.count(event)
        return event, batch.response(event)

    def look_up(self, labels: LabelBatch, now: float) -> FeedbackResponse:
        """Return the response that `join` would give now, and change nothing."""
        batch = JoinBatch(self, labels, now)
        return batch.response(batch.event())

    @property
    def profile(self) -> Profile | None:
        """The profile that scores labels; None if labels are only counted."""
        return None if self.reason else self._profile

    @property
    def profile_hash(self) -> str:
        """The hash of the profile that scores labels; "" if labels are only counted."""
        return self._profile.hash if self._profile is not None and not self.reason else ""

    def row(self, label: Label, predicted: dict[str, object]) -> dict[str, object]:
        """Return the row to score: the prediction and the label, by column."""
        performance = self._profile.performance if self._profile is not None else None
        return {**predicted, performance.label: label.label} if performance else {}

    def direct_prediction(self, label: Label) -> dict[str, object]:
        """Return the prediction in a direct label, by column."""
        return dict(zip(self._columns, (label.prediction, label.score), strict=False))


class JoinBatch:
    """Joins the labels of one request: looks up all exchanges at once, then decides label by label."""

    def __init__(self, joiner: LabelJoiner, labels: LabelBatch, now: float) -> None:
        self._joiner = joiner
        self._now = now
        self._each = bytearray()
        self._outcomes: Counter[str] = Counter({INVALID: labels.invalid} if labels.invalid else {})
        self._problems = list(labels.problems)
        self._dedup_keys: dict[int, int] = {}
        self._lags: list[float] = []
        self._rows: list[dict[str, object]] = []
        self._values: dict[tuple[int, int], list[list[object] | None]] = {}
        self._decide(labels.labels)

    def event(self) -> LabelEvent:
        """Return the changes."""
        names = self._rows[0] if self._rows else ()
        columns: Columns = {name: [row[name] for row in self._rows] for name in names}
        return LabelEvent(
            at=self._now,
            outcomes=dict(self._outcomes),
            dedup_keys=list(self._dedup_keys),
            segments=list(self._dedup_keys.values()),
            lags=self._lags,
            profile=self._joiner.profile_hash if self._rows else "",
            rows=len(self._rows),
            columns=columns,
        )

    def response(self, event: LabelEvent) -> FeedbackResponse:
        """Return the response to the client."""
        return FeedbackResponse(
            **self._outcomes,
            judged=event.rows,
            note=self._joiner.reason,
            problems=tuple(self._problems[:MAX_LISTED_PROBLEMS]),
            each=bytes(self._each),
        )

    def _decide(self, labels: Iterable[Label]) -> None:
        listed = list(labels)
        if not listed:
            return
        store = self._joiner.store
        found = store.find([label.key for label in listed], self._now)
        dedup_keys = [dedup_key(_key(label, lookup), label.row) for label, lookup in zip(listed, found, strict=True)]
        duplicates = store.contains_dedup_keys(dedup_keys)
        for label, lookup, row_key, known in zip(listed, found, dedup_keys, duplicates, strict=True):
            outcome, problem = self._outcome(label, lookup, known or row_key in self._dedup_keys)
            self._outcomes[outcome] += 1
            self._each.append(_CODES[outcome])
            if problem and len(self._problems) < MAX_LISTED_PROBLEMS:
                self._problems.append(ItemProblem(label.item, problem))
            if outcome in (DIRECT, JOINED):
                self._count(label, lookup, row_key)

    def _outcome(self, label: Label, lookup: Lookup | None, duplicate: bool) -> tuple[str, str]:
        if duplicate and label.key:
            return DUPLICATE, ""
        if label.direct:
            return DIRECT, ""
        if lookup is None:
            return UNKNOWN, UNKNOWN_TEXT
        if lookup.exchange is None:
            return LATE, LATE_TEXT
        rows = lookup.exchange.rows
        if label.whole and label.whole != rows:
            given = f"{number(label.whole, 'label')} for a request of {number(rows, 'row')}"
            return INVALID, f"{given}; give one per row, null if there is none"
        if label.row >= rows:
            return INVALID, f"row {label.row} of a request of {number(rows, 'row')}; rows are numbered from 0"
        return JOINED, ""

    def _count(self, label: Label, lookup: Lookup | None, row_key: int) -> None:
        exchange = lookup.exchange if lookup is not None else None
        inside = exchange is not None and label.row < exchange.rows
        if label.key:
            self._dedup_keys[row_key] = lookup.segment.number if lookup is not None and inside else -1
        since = label.time if label.direct else exchange.at if exchange is not None else None
        if since is not None:
            self._lags.append(round(max(0.0, self._now - since), 3))
        predicted = (
            self._joiner.direct_prediction(label) if label.direct else self._stored_prediction(lookup, label.row)
        )
        if predicted is not None and self._joiner.profile_hash:
            self._rows.append(self._joiner.row(label, predicted))

    def _stored_prediction(self, lookup: Lookup | None, row: int) -> dict[str, object] | None:
        """Return the stored prediction of a row, by column; None if it was stored under a different profile."""
        if lookup is None or lookup.exchange is None or lookup.segment.header.profile != self._joiner.profile_hash:
            return None
        source = (lookup.segment.number, lookup.exchange.key)
        values = self._values.get(source)
        if values is None:
            values = self._values[source] = lookup.exchange.values()
        names = lookup.segment.header.columns
        return {name: None if column is None else column[row] for name, column in zip(names, values, strict=True)}


def _key(label: Label, lookup: Lookup | None) -> int:
    """Return the key for the dedup key. If an exchange has two ids, both give the key of the first id."""
    exchange: StoredExchange | None = lookup.exchange if lookup is not None else None
    return exchange.key if exchange is not None else label.key
