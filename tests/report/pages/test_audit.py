"""Tables about decisions: complete, in plain words, and escaped."""

from __future__ import annotations

import msgspec

from pilotfish.sidecar.report.pages import audit, page
from pilotfish.sidecar.report.response import ReportResponse
from pilotfish.sidecar.report.schema import AuditEntry, LearningStatus, StoredRows, StreamDetectorStatus, TickStatus
from pilotfish.sidecar.report.timeline.schema import Timeline

ANSWER = ReportResponse(made_at=1.0, started_at=0.0, state="unprofiled", ticks=TickStatus(tick_seconds=60.0))
LINE = Timeline(tick_seconds=60.0)


def test_without_decisions_there_are_no_tables() -> None:
    for table in (audit.learning, audit.decisions, audit.streams, audit.kept):
        assert table(ANSWER) == ""


def test_every_table_is_shown_once_and_escaped() -> None:
    answer = msgspec.structs.replace(
        ANSWER,
        learning=LearningStatus(
            id="x", kind="rebaseline", wanted=2000, rows=1200, began=0.0, by="<b>ann", reason="new & old"
        ),
        decisions=(
            AuditEntry(time=5.0, action="close_episode", outcome="closed", by="bob", episode="e-1"),
            AuditEntry(time=9.0, action="rebaseline", outcome="in_force", by="<i>", new="f" * 64, rows=2000),
        ),
        streams=(
            StreamDetectorStatus(
                type="river.ADWIN", stream="feature.<x>.psi", value=0.25, values=9, changes=2, last_change_tick=7
            ),
        ),
        kept_rows=(StoredRows(store="recent", rows=500, bytes=9000, not_kept=3),),
    )
    made = page.render(answer, LINE)
    assert "gathering rows" in made
    assert "<b>ann" not in made
    assert "&lt;b&gt;ann" in made
    assert made.index("rebaseline") < made.index("close episode")
    assert "ffffffffffff</code>" in made
    assert "no budget" in made.lower()
    for heading in ("Learning a profile", "Decisions", "Stream detectors", "Rows on disk"):
        assert made.count(f"{heading}</h2>") == 1
