"""Makes the pipeline's state durable: label journal -> rows -> checkpoint -> totals file.

This order must not change. The worker publishes a snapshot only after `save`, so a published number survives any crash.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..report.schema import CheckpointStatus
from .checkpoint import CheckpointError, render, save
from .feedback.journal import JournalError, LabelJournal
from .pipeline import Pipeline
from .row_stores import RowStores
from .totals_file import TotalsFile

SAVE_SECONDS = 1.0  # the age at which unsaved changes are saved
SPACING_SECONDS = 0.2  # the shortest time between two checkpoints


class Persistence:
    """Writes the files of one pipeline. A write that fails becomes a problem in the report; counting continues."""

    def __init__(
        self, pipeline: Pipeline, *, checkpoint: Path, journal: LabelJournal, stores: RowStores, totals_file: TotalsFile
    ) -> None:
        self._pipeline = pipeline
        self._path = checkpoint
        self._journal = journal
        self._stores = stores
        self._totals_file = totals_file
        self._saved_changes = -1
        self._saved_at = float("-inf")
        self.durability = CheckpointStatus()

    @property
    def dirty(self) -> bool:
        """Whether the pipeline has changed since the last `save`."""
        return self._pipeline.change_count != self._saved_changes

    def due(self, now: float, *, quiet: bool) -> bool:
        """Return whether to save at `now` (epoch seconds): after SAVE_SECONDS, or sooner when traffic is `quiet`."""
        age = now - self._saved_at
        return self.dirty and (age >= SAVE_SECONDS or age < 0 or (quiet and age >= SPACING_SECONDS))

    def save(self, now: float) -> None:
        """Write journal, rows, checkpoint and totals file, in this order."""
        pipeline = self._pipeline
        if not pipeline.idle_reason:  # an idle analyzer has not resumed the evidence and would overwrite it
            with suppress(JournalError):  # reported by `problems`
                self.write_journal(sync=False)
            self._stores.store(now)
            self._write_checkpoint(now)
        self._totals_file.write(pipeline.ledger.id, pipeline.counters.named())
        self._saved_changes, self._saved_at = pipeline.change_count, now

    def forget_totals(self) -> None:
        """Clear the totals file after the ledger restarted; the old totals belong to the old counter page."""
        self._totals_file.write(self._pipeline.ledger.id, {})

    def write_journal(self, *, sync: bool) -> None:
        """Append the pending labels to the journal, durably with `sync`; raise JournalError when that fails."""
        feedback = self._pipeline.feedback
        self._journal.append(feedback.drain(), feedback.oldest_segment, sync=sync)

    def problems(self) -> dict[str, str]:
        """Return the reason for each file that cannot be written or was damaged, by topic."""
        found = {
            "feedback": self._journal.problem,
            "feedback_damage": self._journal.damage,
            "checkpoint": self.durability.error,
            "rows": self._stores.problem,
            "rows_damage": self._stores.damage,
            "fates": self._totals_file.problem,
        }
        return {topic: text for topic, text in found.items() if text}

    def close(self) -> None:
        """Close the totals file and release its lock."""
        self._totals_file.close()

    def _write_checkpoint(self, now: float) -> None:
        self._pipeline.feedback.journal_written(self._journal.position)
        failures = self.durability.failures_total
        try:
            save(self._path, render(self._pipeline.state()))
            self.durability = CheckpointStatus(at=now, failures_total=failures)
        except CheckpointError as error:
            self.durability = CheckpointStatus(at=self.durability.at, failures_total=failures + 1, error=str(error))
