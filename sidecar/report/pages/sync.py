"""The table about the sync with the controller."""

from __future__ import annotations

from ..response import ReportResponse
from ..sync_status import NO_MONITOR
from .markup import section, text, time, whole


def sync(answer: ReportResponse) -> str:
    """Return the table about the sync; empty without a controller."""
    found = answer.sync
    if found is None:
        return ""
    row = (
        text(found.control),
        text(found.monitor),
        time(found.last_success) if found.last_success is not None else "never",
        whole(found.unacknowledged),
        time(found.oldest) if found.oldest is not None else "",
        whole(found.dropped),
        text(found.problem),
    )
    heads = ("controller", "monitor", "last success", "#ticks not stored", "oldest", "#dropped", "problem")
    note = (
        NO_MONITOR if found.no_monitor else "The controller adds the counts of all pods and detects drift on the sum."
    )
    return section("Sync with the controller", f'<p class="soft">{text(note)}</p>', heads, [row])
