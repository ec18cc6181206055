"""Exported metrics that no panel shows, each with a reason. The lint reports other metrics without a panel."""

from __future__ import annotations

WAIVED: dict[str, str] = {
    "pilotfish_checkpoint_timestamp_seconds": "pilotfish_checkpoint_age_seconds is shown",
    "pilotfish_sync_info": "its label joins a pod with its ModelMonitor; `pilotfish top` reads it",
    "process_virtual_memory_bytes": "address space that is reserved costs nothing; resident memory is shown",
}
