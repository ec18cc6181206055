"""Converts the state of a version 1 checkpoint, one flat dictionary, to the state of version 2, by component.

The keys of version 1 are on users' disks and must stay as they are.
"""

from __future__ import annotations

from typing import Any


def upgrade(old: dict[str, Any]) -> dict[str, Any]:
    """Return the state of version 2, by component; raise KeyError when `old` lacks a required key."""
    return {
        "ledger": {"id": old["ledger_id"], "epoch": old.get("epoch", 0), "totals": old["totals"]},
        "ticks": {name: old.get(name) for name in ("tick_ns", "closed_through", "newest_ns", "open")},
        "learning": old.get("learning"),
        "profile": {"monitor": old.get("watch"), "episodes": old.get("episodes", [])},
        "columns": old.get("columns", []),
        "streams": old.get("streams", {}),
        "feedback": {"segments": old.get("feedback", []), "journal": old.get("journal", (0, 0))},
    }
