"""The table about the sync with the controller."""

from __future__ import annotations

from ..response import ReportResponse
from .markup import section, text, time, whole


def sync(answer: ReportResponse) -> str:
    """Return the table about the sync; empty without a controller."""
    found = answer.sync
    if found is None:
        return ""
    row = (
        text(found.control),
        time(found.last_success) if found.last_success is not None else "never",
        whole(found.unacknowledged),
        time(found.oldest) if found.oldest is not None else "",
        whole(found.dropped),
        text(found.problem),
    )
    heads = ("controller", "last success", "#ticks not stored", "oldest", "#dropped", "problem")
    note = '<p class="soft">The controller adds the counts of all pods and detects drift on the sum.</p>'
    return section("Sync with the controller", note, heads, [row])
