"""Feedback as a part of the pipeline: keeps predictions, joins labels to them, and counts both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ....detectors.profile.profile import Profile
from ...settings.document import Feedback
from ..component import Component
from ..counters import IDENTIFIED, LABELS, REUSED_IDS, Counters
from ..decode import DecodedExchange
from . import lags
from .frames import LabelEvent, SegmentHeader
from .joiner import LabelJoiner
from .labels import FeedbackResponse, LabelBatch
from .store import PredictionStore

JournalSegment = tuple[int, list[tuple[int, bytes]]]  # a segment's number; end and bytes of each chunk of its file

_IDENTIFIED = IDENTIFIED.key()


class LabelFeedback(Component):
    """Predictions that wait for labels. `journal_position` is how far the journal was written at the checkpoint."""

    def __init__(self, rules: Feedback, counters: Counters) -> None:
        self._counters = counters
        self.joiner = LabelJoiner(PredictionStore(rules.keep, rules.max_rows, SegmentHeader()))
        self.journal_position: tuple[int, int] = (0, 0)

    # --- what the pipeline calls

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Keep the columns that labels are compared with under `profile`."""
        self.joiner.follow(profile)

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Keep the predictions of an exchange, if it has an id."""
        if exchange.request_id is not None or exchange.response_id is not None:
            self._counters.add(_IDENTIFIED)
        if not self.joiner.keep(exchange, at):
            self._counters.add(REUSED_IDS.key())

    def on_tick(self, tick: int, now: float) -> None:
        """Retire predictions that are too old."""
        self.joiner.store.expire(now)

    # --- labels

    def take(self, labels: LabelBatch, now: float) -> tuple[LabelEvent, FeedbackResponse]:
        """Join and count labels; return the labelled rows and the response to the sender."""
        taken, answer = self.joiner.take(labels, now)
        self._count(taken)
        return taken, answer

    def replay(self, segments: Sequence[JournalSegment], now: float, *, count_labels: bool) -> Iterator[LabelEvent]:
        """Read the journal after a restart; yield the labels that were answered after the checkpoint.

        These are counted again, unless `count_labels` is False.
        """
        store = self.joiner.store
        for number, chunks in segments:
            found = store.replay(number, [raw for _, raw in chunks])
            for (end, _), labels in zip(chunks, found, strict=False):
                for taken in labels if count_labels and (number, end) > self.journal_position else ():
                    self._count(taken)
                    yield taken
        store.expire(now)

    def exchange_missing(self, labels: LabelBatch, now: float) -> bool:
        """Whether a label names an exchange that is not known: it may be on its way from the proxy."""
        return self.joiner.has_unknown_exchange(labels, now)

    @property
    def oldest_segment(self) -> int:
        """The number of the oldest segment that the journal must keep."""
        return self.joiner.store.oldest

    def drain(self) -> list[tuple[int, bytes]]:
        """Return what must be appended to the journal, by segment."""
        return self.joiner.store.drain()

    def journal_written(self, position: tuple[int, int]) -> None:
        """Note how far the journal is written: labels up to there are in the next checkpoint."""
        self.journal_position = position

    def _count(self, taken: LabelEvent) -> None:
        for outcome, labels in taken.outcomes.items():
            self._counters.add(LABELS.key(outcome), labels)
        for key, amount in lags.count_lags(taken.lags).items():
            self._counters.add(key, amount)

    # --- the checkpoint

    def state(self) -> dict[str, Any]:
        """Return what the journal does not hold: numbers of the segments, and how far the journal counts."""
        return {"segments": self.joiner.store.state(), "journal": self.journal_position}

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Take over the segments, before `replay`."""
        number, end = saved["journal"]
        self.journal_position = (number, end)
        self.joiner.store.restore(saved["segments"], first=number + 1)
