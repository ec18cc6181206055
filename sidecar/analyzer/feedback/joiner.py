"""Labels to their predictions: what each of them meets, decided here; nothing is counted but in the store.

A label that brings its prediction is `direct`; one whose request is kept is `joined`; `late` when that is too old,
`unknown` when no such request was seen. Whatever has its label already is a `duplicate`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ....detectors.profile.profile import Profile
from ..decode import DecodedExchange
from .frames import LabelEvent, SegmentHeader, StoredExchange
from .labels import (
    DIRECT,
    DUPLICATE,
    INVALID,
    JOINED,
    LATE,
    MAX_LISTED_PROBLEMS,
    UNKNOWN,
    FeedbackResponse,
    ItemProblem,
    Label,
    LabelBatch,
    request_key,
)
from .segment import dedup_key
from .store import Lookup, PredictionStore

NO_PROFILE = "labels are counted, not judged: no profile is in force"
NO_LABEL = "labels are counted, not judged: the profile was built without a label column (profile build --label)"
UNKNOWN_TEXT = (
    "no exchange with this id is known: it was not looked at, carried no such id, or came too long ago; "
    "see docs/feedback.md"
)
LATE_TEXT = "the exchange with this id is older than what is kept; see spec.feedback"

Columns = dict[str, list[object]]


class LabelJoiner:
    """Keeps predictions, and joins labels to them; `follow` tells it which columns matter."""

    def __init__(self, store: PredictionStore) -> None:
        self.store = store
        self.reason = NO_PROFILE
        self._profile: Profile | None = None
        self._columns: tuple[str, ...] = ()

    def follow(self, profile: Profile | None) -> None:
        """Keep what labels are judged by under `profile` from now on."""
        self._profile = profile
        performance = profile.performance if profile is not None else None
        self.reason = "" if performance else NO_LABEL if profile else NO_PROFILE
        wanted = (performance.prediction, performance.score) if performance else ()
        self._columns = tuple(dict.fromkeys(name for name in wanted if name))
        self.store.follow(SegmentHeader(profile.hash if profile else "", self._columns))

    def keep(self, decoded: DecodedExchange, at: float) -> bool:
        """Keep the predictions of one exchange `at` (epoch s); False when its id is that of another one."""
        outputs = decoded.outputs
        if outputs is None:
            return True
        self.store.see(outputs.count, at)
        first, second = decoded.request_id, decoded.response_id
        if first is None and second is None:
            return True
        keys = [request_key(name) for name in (first, second) if name is not None]
        cells = (outputs.columns.get(name) for name in self._columns)
        values = [found if type(found) is list else None for found in cells]
        return self.store.keep(keys[0], keys[1] if len(keys) > 1 else 0, at, outputs.count, values)

    def has_unknown_exchange(self, labels: LabelBatch, now: float) -> bool:
        """Tell whether a label names an exchange of which nothing is known: it may not have been counted yet."""
        keys = [label.key for label in labels.labels if not label.direct]
        return bool(keys) and None in self.store.find(keys, now)

    def take(self, labels: LabelBatch, now: float) -> tuple[LabelEvent, FeedbackResponse]:
        """Join `labels`, which came `now` (epoch s): what that changes, which the store knows, and the answer."""
        joining = JoinBatch(self, labels, now)
        taken = joining.taken()
        self.store.count(taken)
        return taken, joining.answer(taken)

    @property
    def profile_hash(self) -> str:
        """The hash of the profile that judges, "" while labels are only counted."""
        return self._profile.hash if self._profile is not None and not self.reason else ""

    def row(self, label: Label, predicted: dict[str, object]) -> dict[str, object]:
        """Return the judged row of a label and its prediction."""
        performance = self._profile.performance if self._profile is not None else None
        return {**predicted, performance.label: label.label} if performance else {}

    def direct_prediction(self, label: Label) -> dict[str, object]:
        """Return the prediction that a label brings, by column."""
        return dict(zip(self._columns, (label.prediction, label.score), strict=False))


class JoinBatch:
    """One request's labels on their way: finds all at once, then decides one after the other."""

    def __init__(self, joiner: LabelJoiner, labels: LabelBatch, now: float) -> None:
        self._joiner = joiner
        self._now = now
        self._outcomes: Counter[str] = Counter({INVALID: labels.invalid} if labels.invalid else {})
        self._problems = list(labels.problems)
        self._marks: dict[int, int] = {}
        self._lags: list[float] = []
        self._rows: list[dict[str, object]] = []
        self._values: dict[tuple[int, int], list[list[object] | None]] = {}
        self._decide(labels.labels)

    def taken(self) -> LabelEvent:
        """Return what changed."""
        names = self._rows[0] if self._rows else ()
        columns: Columns = {name: [row[name] for row in self._rows] for name in names}
        return LabelEvent(
            at=self._now,
            outcomes=dict(self._outcomes),
            marks=list(self._marks),
            homes=list(self._marks.values()),
            lags=self._lags,
            profile=self._joiner.profile_hash if self._rows else "",
            rows=len(self._rows),
            columns=columns,
        )

    def answer(self, taken: LabelEvent) -> FeedbackResponse:
        """Return what the sender is told."""
        return FeedbackResponse(
            **self._outcomes,
            judged=taken.rows,
            note=self._joiner.reason,
            problems=tuple(self._problems[:MAX_LISTED_PROBLEMS]),
        )

    def _decide(self, labels: Iterable[Label]) -> None:
        listed = list(labels)
        if not listed:
            return
        store = self._joiner.store
        found = store.find([label.key for label in listed], self._now)
        marks = [dedup_key(_key(label, place), label.row) for label, place in zip(listed, found, strict=True)]
        marked = store.marked(marks)
        for label, place, mark, known in zip(listed, found, marks, marked, strict=True):
            outcome, problem = self._outcome(label, place, known or mark in self._marks)
            self._outcomes[outcome] += 1
            if problem and len(self._problems) < MAX_LISTED_PROBLEMS:
                self._problems.append(ItemProblem(label.item, problem))
            if outcome in (DIRECT, JOINED):
                self._count(label, place, mark)

    def _outcome(self, label: Label, place: Lookup | None, marked: bool) -> tuple[str, str]:
        if marked and label.key:
            return DUPLICATE, ""
        if label.direct:
            return DIRECT, ""
        if place is None:
            return UNKNOWN, UNKNOWN_TEXT
        if place.kept is None:
            return LATE, LATE_TEXT
        rows = place.kept.rows
        if label.whole and label.whole != rows:
            return INVALID, f"{label.whole} labels for a request of {rows} rows; give one a row, null for none yet"
        if label.row >= rows:
            return INVALID, f"row {label.row} of a request of {rows} rows; rows are numbered from 0"
        return JOINED, ""

    def _count(self, label: Label, place: Lookup | None, mark: int) -> None:
        kept = place.kept if place is not None else None
        inside = kept is not None and label.row < kept.rows
        if label.key:
            self._marks[mark] = place.home.number if place is not None and inside else -1
        since = label.time if label.direct else kept.at if kept is not None else None
        if since is not None:
            self._lags.append(round(max(0.0, self._now - since), 3))
        predicted = self._joiner.direct_prediction(label) if label.direct else self._kept(place, label.row)
        if predicted is not None and self._joiner.profile_hash:
            self._rows.append(self._joiner.row(label, predicted))

    def _kept(self, place: Lookup | None, row: int) -> dict[str, object] | None:
        """Return the kept prediction of a row by column; None when it was made for another profile's model."""
        if place is None or place.kept is None or place.home.tag.profile != self._joiner.profile_hash:
            return None
        where = (place.home.number, place.kept.key)
        values = self._values.get(where)
        if values is None:
            values = self._values[where] = place.kept.values()
        names = place.home.tag.columns
        return {name: None if column is None else column[row] for name, column in zip(names, values, strict=True)}


def _key(label: Label, place: Lookup | None) -> int:
    """Return the key under which a row is marked: of two ids of one exchange the first one."""
    kept: StoredExchange | None = place.kept if place is not None else None
    return kept.key if kept is not None else label.key
