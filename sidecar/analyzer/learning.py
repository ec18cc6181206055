"""Where learning a profile stands: rows are gathered, a profile is built of them, and put into force. Pure.

gathering --rows or room are all--> building --profile in force--> (ended)
    ^                                  |
    +---- the rows were no good -------+---- three times ----> gave_up, until a person asks anew
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import quote_value
from ..report.schema import LearningStatus
from ..settings.document import Learn
from .component import Component
from .errors import LearningRefusedError

MAX_TRIES = 3
MIN_ROWS = 1000  # that a profile is made of when they fill the room that they have


class LearningState(Component):
    """The learning that is under way, if any: part of the worker's mind and of the checkpoint."""

    def __init__(self) -> None:
        self.current: LearningStatus | None = None

    @property
    def gathering(self) -> bool:
        """Whether rows are stored for it."""
        return self.current is not None and self.current.state == "gathering"

    def begin(self, learning: LearningStatus) -> None:
        """Gather rows for `learning`; LearningRefusedError while another one is in the making."""
        now = self.current
        if now is not None and now.state != "gave_up":
            whose = f"of {quote_value(now.by)} " if now.by else ""
            raise LearningRefusedError(
                f"a profile is in the making already: {now.kind} {whose}with {now.rows} of {now.wanted} rows; "
                "DELETE /rebaseline ends it"
            )
        self.current = learning

    def update_rows(self, rows: int, *, full: bool, now: float) -> None:
        """Note that `rows` are on disk, and whether no more have room, at `now` (epoch s)."""
        learning = self.current
        if learning is None or learning.state != "gathering":
            return
        changes: dict[str, Any] = {"rows": rows}
        if rows >= learning.wanted or (full and rows >= MIN_ROWS):
            changes |= {"state": "building", "gathered": now, "progress": 0.0}
        elif full:
            problem = f"only {rows} rows have room on disk; mask wide columns, or allow more bytes"
            changes |= {"state": "gave_up", "problem": problem}
        self.current = msgspec.structs.replace(learning, **changes)

    def update_progress(self, id_: str, progress: float, problem: str) -> None:
        """Note how far the building is, or begin to gather anew for `problem`; too often, and it is given up."""
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
        """Return the learning, if it is `id_`; LearningRefusedError when that has ended in the meantime."""
        if self.current is None or self.current.id != id_:
            raise LearningRefusedError(f"learning {quote_value(id_)} has ended")
        return self.current

    def cancel(self) -> None:
        """End whatever is under way: another profile makes it pointless."""
        self.current = None

    def follow_document(self, learn: Learn | None, *, profiled: bool, fresh_id: str, now: float) -> None:
        """After a start, learn a first profile if the document asks for one and none is in force, or end doing so."""
        wanted = learn is not None and not profiled
        if self.current is not None and self.current.kind == "learn" and not wanted:
            self.current = None
        if learn is not None and wanted and self.current is None:
            self.begin(LearningStatus(id=fresh_id, kind="learn", wanted=learn.rows, began=now))

    def state(self) -> dict[str, Any] | None:
        """Return it as plain values."""
        return None if self.current is None else msgspec.to_builtins(self.current)

    def resume(self, saved: object) -> None:
        """Take over what `state` returned; what does not fit is left behind, and so are its rows."""
        try:
            self.current = msgspec.convert(saved, LearningStatus | None)
        except msgspec.ValidationError:
            self.current = None
