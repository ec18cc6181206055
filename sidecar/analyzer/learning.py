"""Component with the state of learning a profile: rows are gathered, a profile is built from them and put into force.

    gathering --enough rows, or the store is full--> building --profile in force--> (ended)
        ^                                              |
        +------------- the build failed ---------------+---- after MAX_TRIES ----> gave_up, until a new request

No I/O. `row_stores.py` stores the rows, and `profile_builder.py` builds the profile; both act on this state, which is
in the checkpoint. A process that is killed therefore continues at the same step.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from ..errors import quote_value
from ..report.schema import LearningStatus
from ..settings.document import Learn
from .component import Component
from .errors import LearningRefusedError

_LOG = logging.getLogger("pilotfish.analyzer")

MAX_TRIES = 3
MIN_ROWS = 1000  # the smallest number of rows to build from when the store is full


class LearningState(Component):
    """The learning under way. `current` is None when no profile is being learned."""

    def __init__(self) -> None:
        self.current: LearningStatus | None = None

    @property
    def gathering(self) -> bool:
        """Whether rows must be stored for the current learning."""
        return self.current is not None and self.current.state == "gathering"

    def begin(self, learning: LearningStatus) -> None:
        """Start to gather rows for `learning`; raise LearningRefusedError while another learning is under way."""
        now = self.current
        if now is not None and now.state != "gave_up":
            requester = f"by {quote_value(now.by)} " if now.by else ""
            raise LearningRefusedError(
                f"a profile is being learned already: {now.kind} {requester}has {now.rows} of {now.wanted} rows; "
                "DELETE /rebaseline cancels it"
            )
        self.current = learning

    def update_rows(self, rows: int, *, full: bool, now: float) -> None:
        """Record that `rows` are stored, and whether the store is `full`; `now` is epoch seconds."""
        learning = self.current
        if learning is None or learning.state != "gathering":
            return
        changes: dict[str, Any] = {"rows": rows}
        if rows >= learning.wanted or (full and rows >= MIN_ROWS):
            changes |= {"state": "building", "gathered": now, "progress": 0.0}
        elif full:
            problem = f"the store is full with {rows} rows; mask wide columns, or allow more bytes"
            changes |= {"state": "gave_up", "problem": problem}
        self.current = msgspec.structs.replace(learning, **changes)

    def update_progress(self, id_: str, progress: float, problem: str) -> None:
        """Record the build's `progress`, or its `problem`: then gather rows again, or give up after MAX_TRIES."""
        learning = self.require(id_)
        if not problem:
            self.current = msgspec.structs.replace(learning, progress=progress)
        elif learning.tries >= MAX_TRIES:
            self.current = msgspec.structs.replace(learning, state="gave_up", problem=problem)
        else:
            self.current = msgspec.structs.replace(
                learning, state="gathering", rows=0, tries=learning.tries + 1, gathered=None, problem=problem
            )

    def end(self, id_: str) -> None:
        """End the learning `id_`."""
        self.require(id_)
        self.current = None

    def require(self, id_: str) -> LearningStatus:
        """Return the current learning if it is `id_`; raise LearningRefusedError when that has ended."""
        if self.current is None or self.current.id != id_:
            raise LearningRefusedError(f"learning {quote_value(id_)} has ended")
        return self.current

    def cancel(self) -> None:
        """End the learning under way, if any, because another profile was set."""
        self.current = None

    def follow_document(self, learn: Learn | None, *, profiled: bool, fresh_id: str, now: float) -> None:
        """After a start, begin or end learning a first profile, as the document requires.

        `learn` is the document's block, `profiled` whether a profile is in force, `fresh_id` the id of a new learning.
        """
        wanted = learn is not None and not profiled
        if self.current is not None and self.current.kind == "learn" and not wanted:
            self.current = None
        if learn is not None and wanted and self.current is None:
            self.begin(LearningStatus(id=fresh_id, kind="learn", wanted=learn.rows, began=now))

    def state(self) -> dict[str, Any] | None:
        """Return the current learning as plain values."""
        return None if self.current is None else msgspec.to_builtins(self.current)

    def resume(self, saved: object) -> None:
        """Restore what `state` returned; a state that does not fit is dropped together with its rows."""
        try:
            self.current = msgspec.convert(saved, LearningStatus | None)
        except msgspec.ValidationError as error:
            self.current = None
            _LOG.warning("learning a profile starts again: its state in the checkpoint does not fit: %s", error)
