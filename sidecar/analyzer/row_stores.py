"""The two row logs on disk: recent rows, and rows to learn a profile from. `persistence.py` and `worker.py` fill them.

Rows go from the row collector into both logs. Only the worker's thread may write; other threads read.
"""

from __future__ import annotations

from pathlib import Path

from ..report.schema import StoredRows
from ..rows.log import RowLog
from ..settings.document import Learn
from ..settings.traffic import KeepRows
from .counters import NOT_KEPT
from .pipeline import Pipeline

ROWS_FOLDER = "rows"
RECENT, LEARNING = "recent", "learning"


class RowStores:
    """The row logs in the subfolder `rows` of `folder`."""

    def __init__(self, folder: Path, pipeline: Pipeline) -> None:
        self.folder = folder / ROWS_FOLDER
        self._pipeline = pipeline
        self._keep, self._learn = pipeline.settings.keep_rows, pipeline.settings.learn or Learn()
        self._recent = self._open_log(RECENT)
        self._learning = self._open_log(LEARNING)

    @property
    def problem(self) -> str:
        """Why rows cannot be stored; empty while they can."""
        return next((log.problem for log in (self._recent, self._learning) if log is not None and log.problem), "")

    @property
    def damage(self) -> str:
        """The files whose rows are lost in part, because they were damaged; empty without any."""
        return "; ".join(log.damage for log in (self._recent, self._learning) if log is not None and log.damage)

    def store(self, now: float) -> None:
        """Write the collected rows, and start, extend or remove the rows to learn from, as the learning state requires.

        `now` is epoch seconds.
        """
        blocks = self._pipeline.row_collector.take()
        if self._recent is not None and blocks:
            self._count_not_stored(RECENT, self._recent.append(blocks))
        learning = self._pipeline.learning
        if learning.current is None or learning.current.state == "gave_up":
            self._remove_learning_rows()
        elif learning.gathering:
            log = self._learning or self._open_log(LEARNING)
            assert log is not None
            self._learning = log
            if learning.current.rows == 0:  # a new learning, or a new try
                log.clear()
            log.limit_rows(learning.current.wanted)
            missed = log.append(blocks)
            if not log.full and log.rows < learning.current.wanted:
                self._count_not_stored(LEARNING, missed)
            learning.update_rows(log.rows, full=log.full, now=now)

    def stored_rows(self) -> tuple[StoredRows, ...]:
        """Return the size of each log, for the report."""
        logs = ((name, log) for name, log in ((LEARNING, self._learning), (RECENT, self._recent)) if log is not None)
        counters = self._pipeline.counters
        return tuple(
            StoredRows(
                store=name,
                rows=log.rows,
                bytes=log.size,
                not_kept=counters.get(NOT_KEPT.key(name)),
                torn_bytes=log.cut,
            )
            for name, log in logs
        )

    def _remove_learning_rows(self) -> None:
        if self._learning is not None:
            self._learning.clear()
            self._learning = None

    def _count_not_stored(self, store: str, rows: int) -> None:
        if rows:
            self._pipeline.counters.add(NOT_KEPT.key(store), rows)

    def _open_log(self, store: str) -> RowLog | None:
        bounds: KeepRows | Learn | None = self._keep if store == RECENT else self._learn
        if bounds is None:
            return None
        return RowLog(self.folder, store, most_rows=bounds.rows, most_bytes=bounds.bytes, newest=store == RECENT)
