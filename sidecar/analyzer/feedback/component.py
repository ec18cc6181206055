"""The pipeline component for feedback: it stores predictions, joins labels to them, and counts both.

It connects `joiner.py` and `store.py` to the hooks of the pipeline and to the counters. `state` must be saved together
with the counters, because `replay` counts only the labels after `journal_position`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ....detectors.profile.profile import Profile
from ...errors import number
from ...labels.labels import FeedbackResponse, LabelBatch
from ...settings.document import Feedback
from ..component import Component
from ..counters import IDENTIFIED, LABELS, LABELS_UNUSED, REUSED_IDS, Counters
from ..decode import DecodedExchange
from . import lags
from .frames import LabelEvent, SegmentHeader
from .joiner import LabelJoiner
from .store import PredictionStore
from .unused import UNUSED_REASONS, count_unused

JournalSegment = tuple[int, list[tuple[int, bytes]]]  # number of the segment; end and bytes of each chunk of its file

_IDENTIFIED = IDENTIFIED.key()


class LabelFeedback(Component):
    """Predictions that wait for labels.

    Attributes:
        joiner: joins labels to the stored predictions.
        journal_position: segment and file size up to which the journal is written; saved in the checkpoint.
    """

    def __init__(self, rules: Feedback, counters: Counters) -> None:
        self._counters = counters
        self.joiner = LabelJoiner(PredictionStore(rules.keep, rules.max_rows, SegmentHeader()))
        self.journal_position: tuple[int, int] = (0, 0)

    # --- hooks of the pipeline

    def on_profile(self, profile: Profile, *, restored: bool) -> None:
        """Store from now on the columns that `profile` needs to score labels."""
        self.joiner.use_profile(profile)

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Store the predictions of an exchange, if it has an id."""
        if exchange.request_id is not None or exchange.response_id is not None:
            self._counters.add(_IDENTIFIED)
        if not self.joiner.keep(exchange, at):
            self._counters.add(REUSED_IDS.key())

    def on_tick(self, tick: int, now: float) -> None:
        """Retire predictions that are older than `spec.feedback.keep`."""
        self.joiner.store.expire(now)

    # --- labels

    def take(self, labels: LabelBatch, now: float) -> tuple[LabelEvent, FeedbackResponse]:
        """Join and count labels; return the label event and the response to the client."""
        event, response = self.joiner.join(labels, now)
        unused = self._count(event)
        unscored = sum(unused.values())
        if unscored and not response.note:
            reasons = ", ".join(f"{amount} {reason} ({UNUSED_REASONS[reason]})" for reason, amount in unused.items())
            response = msgspec.structs.replace(
                response,
                judged=response.joined + response.direct - unscored,
                note=f"{number(unscored, 'label')} {'is' if unscored == 1 else 'are'} not scored: {reasons}",
            )
        return event, response

    def replay(self, segments: Sequence[JournalSegment], now: float, *, count_labels: bool) -> Iterator[LabelEvent]:
        """Restore the store from the journal, and yield the label events after the checkpoint.

        These labels are counted again, unless `count_labels` is False. Call it after `resume`.
        """
        store = self.joiner.store
        for segment, chunks in segments:
            found = store.replay(segment, [raw for _, raw in chunks])
            for (end, _), labels in zip(chunks, found, strict=False):
                for event in labels if count_labels and (segment, end) > self.journal_position else ():
                    self._count(event)
                    yield event
        store.expire(now)

    def exchange_missing(self, labels: LabelBatch, now: float) -> bool:
        """Return whether a label has an unknown request id. The proxy may not have sent that exchange yet."""
        return self.joiner.has_unknown_exchange(labels, now)

    @property
    def oldest_segment(self) -> int:
        """The number of the oldest segment that the journal must keep."""
        return self.joiner.store.oldest

    def drain(self) -> list[tuple[int, bytes]]:
        """Return the bytes to append to the journal, by segment."""
        return self.joiner.store.drain()

    def journal_written(self, position: tuple[int, int]) -> None:
        """Set the journal position. The next checkpoint includes the labels up to this position."""
        self.journal_position = position

    def _count(self, event: LabelEvent) -> Counter[str]:
        """Count the labels of an event; return the accepted ones without a loss, by reason."""
        for outcome, labels in event.outcomes.items():
            self._counters.add(LABELS.key(outcome), labels)
        unused = count_unused(event, self.joiner.profile, self.joiner.reason_key)
        for reason, labels in unused.items():
            self._counters.add(LABELS_UNUSED.key(reason), labels)
        for key, amount in lags.count_lags(event.lags).items():
            self._counters.add(key, amount)
        return unused

    # --- the checkpoint

    def state(self) -> dict[str, Any]:
        """Return what the journal does not contain: numbers of the segments, and the journal position."""
        return {"segments": self.joiner.store.state(), "journal": self.journal_position}

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Restore segments and position from `state`. Call `replay` afterwards."""
        number, end = saved["journal"]
        self.journal_position = (number, end)
        self.joiner.store.restore(saved["segments"], first=number + 1)
